import { execFile } from 'node:child_process'
import { cp, glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/**
 * The table "who may import whom" of CONTRIBUTING.md, planted import by import into an empty tree that has this
 * project's biome.json: a rule that nobody ever saw fail is not a rule.
 */
const project = fileURLToPath(new URL('../../', import.meta.url))
const biome = join(project, 'node_modules/.bin/biome')

const servers = [
  'fastify',
  'fastify/types/route.js',
  '@fastify/helmet',
  'fastify-type-provider-zod',
]
const drivers = ['@redis/client', 'node:sqlite']

interface Room {
  /** The file that imports. */
  readonly file: string
  readonly forbidden: readonly string[]
  readonly permitted: readonly string[]
}

const rooms: readonly Room[] = [
  {
    file: 'src/exports/reader.ts',
    forbidden: [
      ...['../http/access.ts', '../lemlist/client.ts', '../store/open.ts', '../sandbox/lemlist.ts'],
      ...['../config.ts', '../metrics.ts', '../app.ts', '../main.ts', '../../src/store/open.ts'],
      ...[...servers, ...drivers, 'undici', 'zod', 'pino', 'node:http', 'node:https', 'node:net'],
    ],
    permitted: ['../problems.ts', './export.ts', 'lru-cache', 'node:crypto'],
  },
  {
    file: 'src/lemlist/client.ts',
    forbidden: [
      ...['../http/access.ts', '../store/open.ts', '../sandbox/lemlist.ts', '../config.ts'],
      ...['../metrics.ts', '../app.ts', '../main.ts', '../../src/store/open.ts'],
      ...[...servers, ...drivers],
    ],
    permitted: ['../exports/ports.ts', '../problems.ts', './answers.ts', 'undici'],
  },
  {
    file: 'src/store/open.ts',
    forbidden: [
      ...['../http/access.ts', '../lemlist/client.ts', '../sandbox/lemlist.ts', '../config.ts'],
      ...['../metrics.ts', '../problems.ts', '../app.ts', '../main.ts'],
      ...[...servers, 'undici'],
    ],
    permitted: ['../exports/ports.ts', './sqlite.ts', './redis/results.ts', ...drivers],
  },
  {
    file: 'src/store/redis/results.ts',
    forbidden: [
      ...['../../http/access.ts', '../../lemlist/client.ts', '../../config.ts', '../../metrics.ts'],
      ...['../../problems.ts', '../../sandbox/lemlist.ts', ...servers, 'undici'],
    ],
    permitted: ['../../exports/ports.ts', '../failover.ts', './budget.ts', '@redis/client'],
  },
  {
    file: 'src/http/error-handler.ts',
    forbidden: [
      ...['../lemlist/client.ts', '../store/open.ts', '../sandbox/lemlist.ts', '../config.ts'],
      ...['../app.ts', '../main.ts', '../../src/store/open.ts', 'undici', ...drivers],
    ],
    permitted: [
      ...['../exports/ports.ts', '../problems.ts', '../metrics.ts', './routes/status.ts'],
      ...['fastify', '@fastify/helmet', 'zod'],
    ],
  },
  {
    file: 'src/http/routes/status.ts',
    forbidden: [
      ...['../../lemlist/client.ts', '../../store/open.ts', '../../sandbox/lemlist.ts'],
      ...['../../config.ts', '../../app.ts', '../../main.ts', 'undici', ...drivers],
    ],
    permitted: [
      ...['../../exports/ports.ts', '../../problems.ts', '../../metrics.ts', '../schemas.ts'],
      ...['fastify', 'zod'],
    ],
  },
  {
    file: 'src/client/planted.ts',
    forbidden: ['../http/schemas.ts', './more.js', 'zod', 'node:fs', 'react'],
    permitted: [],
  },
  {
    file: 'src/page/planted.ts',
    forbidden: ['../http/schemas.ts', '../client/client.js', './more.js', 'zod', 'react'],
    permitted: ['../client.js'],
  },
  {
    file: 'src/config.ts',
    forbidden: ['./app.ts', './problems.ts', './exports/export.ts', './store/open.ts'],
    permitted: ['./variables.ts', 'zod', 'node:fs'],
  },
  ...['src/variables.ts', 'src/problems.ts', 'src/metrics.ts'].map((file) => ({
    file,
    forbidden: ['./app.ts', './exports/export.ts', './http/access.ts', './store/open.ts'],
    permitted: ['zod', 'node:fs'],
  })),
  {
    file: 'src/sandbox/lemlist.ts',
    forbidden: [
      ...['../app.ts', '../config.ts', '../problems.ts', '../exports/export.ts'],
      ...['../lemlist/answers.ts', '../http/schemas.ts', '../store/open.ts'],
    ],
    permitted: ['./life.ts', 'node:http'],
  },
  {
    file: 'src/sandbox/main.ts',
    forbidden: [
      ...['../exports/export.ts', '../lemlist/client.ts', '../http/schemas.ts'],
      ...['../store/open.ts', '../problems.ts', '../main.ts'],
    ],
    permitted: ['../config.ts', '../run.ts', './lemlist.ts'],
  },
]

/** One line each, so that the linter's line number names the import. */
const forms: Readonly<Record<string, (from: string) => string>> = {
  value: (from) => `import { planted } from '${from}'`,
  type: (from) => `import type { Planted } from '${from}'`,
  dynamic: (from) => `void import('${from}')`,
  're-export': (from) => `export { planted } from '${from}'`,
  'type re-export': (from) => `export type { Planted } from '${from}'`,
  'side effect': (from) => `import '${from}'`,
}

/** What the linter cannot see: a type taken by `import('...')` and a dynamic import of a template. */
const unseen = /(?<!=> |await |return |Promise\.all\(\[)\bimport\(|\bimport\(\s*[^'"\s]/

const formsOf = (imports: readonly string[]) =>
  imports.flatMap((from) =>
    Object.entries(forms).map(([form, write]) => ({ name: `${form} ${from}`, line: write(from) })),
  )

/** What the linter says of a whole tree: for each file the lines that break an import direction. */
async function restrictedLines(tree: string): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const report = await new Promise<string>((resolve, reject) => {
    const options = { cwd: tree, maxBuffer: 64 * 1024 * 1024 }
    const only = ['--only=style/noRestrictedImports', '--max-diagnostics=none', '--reporter=json']
    execFile(biome, ['lint', ...only, 'src'], options, (error, stdout, stderr) => {
      // Exit 1 is the answer "something is wrong", anything else a linter that did not run.
      if (error && error.code !== 1) reject(new Error(stderr, { cause: error }))
      else resolve(stdout)
    })
  })
  // The shape of biome's own report; with a different one the planted imports look permitted, which fails.
  const { diagnostics } = JSON.parse(report) as {
    diagnostics: { category: string; location: { path: string; start: { line: number } } }[]
  }
  const lines = new Map<string, Set<number>>()
  for (const { category, location } of diagnostics) {
    if (category !== 'lint/style/noRestrictedImports') {
      throw new Error(`The planted tree is wrong in another way: ${category} in ${location.path}`)
    }
    const ofFile = lines.get(location.path) ?? new Set()
    lines.set(location.path, ofFile.add(location.start.line))
  }
  return lines
}

describe('import directions', () => {
  let tree: string
  let restricted: ReadonlyMap<string, ReadonlySet<number>>

  beforeAll(async () => {
    tree = await mkdtemp(join(tmpdir(), 'import-directions-'))
    for (const file of ['biome.json', '.gitignore']) await cp(join(project, file), join(tree, file))
    for (const { file, forbidden, permitted } of rooms) {
      const lines = formsOf([...forbidden, ...permitted]).map(({ line }) => `${line}\n`)
      await mkdir(dirname(join(tree, file)), { recursive: true })
      await writeFile(join(tree, file), lines.join(''))
    }
    restricted = await restrictedLines(tree)
  })

  afterAll(() => rm(tree, { recursive: true }))

  it.each(rooms)('$file imports what its room may import and nothing else, in any form', (room) => {
    const { file, forbidden, permitted } = room
    const refused = formsOf([...forbidden, ...permitted])
      .filter((_, index) => restricted.get(file)?.has(index + 1))
      .map(({ name }) => name)
    expect(refused).toEqual(formsOf(forbidden).map(({ name }) => name))
    expect(refused.length).toBeGreaterThan(0)
  })

  it('every room that the linter knows is planted', async () => {
    // The shape of biome's configuration, which biome itself checked when it ran above.
    const { overrides } = JSON.parse(await readFile(join(project, 'biome.json'), 'utf8')) as {
      overrides: { includes: string[]; linter: { rules: { style?: object } } }[]
    }
    const restricted = overrides.filter(
      ({ linter }) => 'noRestrictedImports' in (linter.rules.style ?? {}),
    )
    expect(restricted.length).toBeGreaterThan(0)
    const folders = new Set(rooms.map(({ file }) => file.split('/').slice(0, 2).join('/')))
    for (const { includes } of restricted) {
      for (const pattern of includes.filter((one) => !one.startsWith('!'))) {
        expect(folders).toContain(pattern.split('/').slice(0, 2).join('/'))
      }
    }
  })

  it('no source hides an import in a form that the linter cannot see', async () => {
    for (const hidden of [
      "export type A = import('../http/access.ts').Caller",
      "const a: import('../http/access.ts').Caller = b",
      "type A = typeof import('fastify')",
      'const a = await import(`../http/access.ts`)',
    ]) {
      expect(hidden).toMatch(unseen)
    }
    expect("const a = await import('./redis/open.ts')").not.toMatch(unseen)
    let files = 0
    for await (const file of glob('src/**/*.ts', { cwd: project })) {
      files += 1
      expect(await readFile(join(project, file), 'utf8'), file).not.toMatch(unseen)
    }
    expect(files).toBeGreaterThan(0)
  })
})
