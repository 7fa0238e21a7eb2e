import { cp, glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LINTER_FILES, lint, restrictedLines } from '../helpers/linter.ts'

/**
 * Plants every import of the table "who may import whom" of CONTRIBUTING.md into an empty tree that
 * has this project's biome.json. A rule proves nothing until somebody has seen it fail.
 */
const project = fileURLToPath(new URL('../../', import.meta.url))

const fastify = ['fastify', 'fastify/types/route.js']
const drivers = ['@redis/client', 'node:sqlite']
const network = ['node:http', 'node:https', 'node:net']

interface Room {
  /** The file that imports. */
  readonly file: string
  readonly forbidden: readonly string[]
  readonly permitted: readonly string[]
}

/** What no file of the domain may import. The paths start in a folder two levels below `src/`. */
const outsideDomain = [
  ...['../../http/server.ts', '../../lemlist/client.ts', '../../store/open.ts', '../../app.ts'],
  ...['../../config/config.ts', '../../telemetry/log.ts', '../../sandbox/lemlist.ts'],
  ...[...fastify, ...drivers, ...network, 'fastify-type-provider-zod', 'undici', 'zod', 'pino'],
]
const domainRoom = (file: string, below: readonly string[], beside: readonly string[]): Room => ({
  file: `src/exports/${file}`,
  forbidden: [...outsideDomain, ...beside.map((room) => `../${room}/planted.ts`)],
  permitted: [
    ...below.map((room) => `../${room}/planted.ts`),
    ...['../../problems.ts', '../export.ts', './planted.ts', 'lru-cache', 'node:crypto'],
  ],
})
const storeRoom = (
  file: string,
  beside: readonly string[],
  permitted: readonly string[],
): Room => ({
  file: `src/store/${file}`,
  forbidden: [
    ...beside.map((room) => `../${room}/store.ts`),
    ...['../open.ts', '../../http/server.ts', '../../lemlist/client.ts', '../../problems.ts'],
    ...['../../exports/reading/reader.ts', '../../config/config.ts', ...fastify, 'undici', 'pino'],
  ],
  permitted: [...permitted, '../../exports/ports.ts', '../kept.ts', './results.ts'],
})

const processFiles = [
  ...['src/main.ts', 'src/run.ts', 'src/signals.ts', 'src/health-check.ts', 'src/new-caller.ts'],
]

const rooms: readonly Room[] = [
  {
    file: 'src/exports/ports.ts',
    forbidden: [
      ...['../http/server.ts', '../store/open.ts', '../app.ts', '../../src/store/open.ts'],
      ...['./reading/reader.ts', './following/follower.ts'],
      ...[...fastify, ...drivers, ...network, 'undici', 'zod', 'pino'],
    ],
    permitted: ['../problems.ts', './export.ts', 'node:stream'],
  },
  domainRoom('following/tracker.ts', [], ['reading', 'starting', 'watching', 'downloading']),
  domainRoom('reading/reader.ts', ['following'], ['starting', 'watching', 'downloading']),
  domainRoom('starting/starter.ts', ['following'], ['reading', 'watching', 'downloading']),
  domainRoom('watching/watch.ts', ['following', 'reading'], ['starting', 'downloading']),
  domainRoom('downloading/files.ts', ['following', 'reading'], ['starting', 'watching']),
  {
    file: 'src/lemlist/client.ts',
    forbidden: [
      ...['../http/server.ts', '../store/open.ts', '../sandbox/lemlist.ts', '../config/config.ts'],
      ...['../exports/reading/reader.ts', '../app.ts', '../main.ts', '../../src/store/open.ts'],
      ...[...fastify, ...drivers, 'pino'],
    ],
    permitted: ['../exports/ports.ts', '../problems.ts', './answers.ts', 'undici'],
  },
  {
    file: 'src/store/open.ts',
    forbidden: [
      ...['../http/server.ts', '../lemlist/client.ts', '../sandbox/lemlist.ts', '../problems.ts'],
      ...['../config/config.ts', '../exports/reading/reader.ts', '../app.ts', '../main.ts'],
      ...[...fastify, 'undici', 'pino'],
    ],
    permitted: ['../exports/ports.ts', './sqlite/store.ts', './redis/results.ts', ...drivers],
  },
  storeRoom('memory/results.ts', ['sqlite', 'redis', 'failover'], ['lru-cache']),
  storeRoom('sqlite/results.ts', ['memory', 'redis', 'failover'], ['node:sqlite']),
  storeRoom('redis/results.ts', ['memory', 'sqlite', 'failover'], ['@redis/client']),
  storeRoom('failover/results.ts', ['sqlite'], ['../memory/store.ts', '../redis/store.ts']),
  {
    file: 'src/http/error-handler.ts',
    forbidden: [
      ...['../lemlist/client.ts', '../store/open.ts', '../sandbox/lemlist.ts', '../app.ts'],
      ...['../config/config.ts', '../main.ts', '../../src/store/open.ts'],
      ...['undici', 'pino', ...drivers],
    ],
    permitted: [
      ...['../exports/ports.ts', '../exports/reading/reader.ts', '../problems.ts'],
      ...['../telemetry/log.ts', '../access/caller.ts', './routes/status.ts', 'fastify', 'zod'],
    ],
  },
  {
    file: 'src/http/routes/status.ts',
    forbidden: [
      ...['../../lemlist/client.ts', '../../store/open.ts', '../../sandbox/lemlist.ts'],
      ...['../../config/config.ts', '../../app.ts', '../../main.ts', 'undici', 'pino', ...drivers],
    ],
    permitted: [
      ...['../../exports/ports.ts', '../../problems.ts', '../../telemetry/log.ts'],
      ...['../../access/caller.ts', '../openapi/schemas.ts', 'fastify', 'zod'],
    ],
  },
  {
    file: 'src/access/caller.ts',
    forbidden: [
      ...['../http/server.ts', '../exports/export.ts', '../app.ts', '../config/config.ts'],
      ...['../lemlist/client.ts', 'pino', ...fastify, ...drivers],
    ],
    permitted: [
      ...['../problems.ts', '../config/forms.ts', '../config/secret.ts', './keys.ts'],
      ...['node:crypto', 'jose', 'zod'],
    ],
  },
  {
    file: 'src/ops/listener.ts',
    forbidden: ['../http/server.ts', '../exports/reading/reader.ts', '../store/open.ts', 'undici'],
    permitted: ['../exports/schedule.ts', '../telemetry/log.ts', 'fastify'],
  },
  {
    file: 'src/telemetry/observer.ts',
    forbidden: [
      ...['../http/server.ts', '../exports/reading/reader.ts', '../store/open.ts', '../app.ts'],
      ...[...fastify, ...drivers, 'undici'],
    ],
    permitted: ['../exports/ports.ts', '../problems.ts', './log.ts', 'pino'],
  },
  {
    file: 'src/client/planted.ts',
    forbidden: ['../http/server.ts', './more.js', 'zod', 'node:fs', 'react'],
    permitted: [],
  },
  {
    file: 'src/page/planted.ts',
    forbidden: ['../http/server.ts', '../client/client.js', 'zod', 'react'],
    permitted: ['../client.js', './card.js'],
  },
  {
    file: 'src/config/config.ts',
    forbidden: ['../app.ts', '../problems.ts', '../exports/export.ts', '../store/open.ts', 'pino'],
    permitted: ['./variables.ts', 'zod', 'node:fs'],
  },
  {
    file: 'src/problems.ts',
    forbidden: ['./app.ts', './exports/export.ts', './http/server.ts', './store/open.ts'],
    permitted: ['zod', 'node:fs'],
  },
  {
    file: 'src/sandbox/lemlist.ts',
    forbidden: [
      ...['../app.ts', '../config/config.ts', '../problems.ts', '../exports/export.ts'],
      ...['../lemlist/answers.ts', '../http/server.ts', '../store/open.ts'],
    ],
    permitted: ['./life.ts', 'node:http'],
  },
  {
    file: 'src/sandbox/main.ts',
    forbidden: [
      ...['../exports/export.ts', '../lemlist/client.ts', '../http/server.ts'],
      ...['../store/open.ts', '../problems.ts', '../main.ts'],
    ],
    permitted: ['../config/config.ts', '../run.ts', './lemlist.ts'],
  },
  ...processFiles.map((file) => ({
    file,
    forbidden: [...fastify, ...drivers, 'undici', 'pino'],
    permitted: ['./app.ts', './telemetry/log.ts', 'close-with-grace'],
  })),
]

/** Each form is one line, so that the linter's line number identifies the import. */
const forms: Readonly<Record<string, (from: string) => string>> = {
  value: (from) => `import { planted } from '${from}'`,
  type: (from) => `import type { Planted } from '${from}'`,
  dynamic: (from) => `void import('${from}')`,
  're-export': (from) => `export { planted } from '${from}'`,
  'type re-export': (from) => `export type { Planted } from '${from}'`,
  'side effect': (from) => `import '${from}'`,
}

/** The linter does not see a type taken by `import('...')` or a dynamic import of a template. */
const unseen = /(?<!=> |await |return |Promise\.all\(\[)\bimport\(|\bimport\(\s*[^'"\s]/

const formsOf = (imports: readonly string[]) =>
  imports.flatMap((from) =>
    Object.entries(forms).map(([form, write]) => ({ name: `${form} ${from}`, line: write(from) })),
  )

describe('import directions', () => {
  let tree: string
  let restricted: ReadonlyMap<string, ReadonlySet<number>>

  beforeAll(async () => {
    tree = await mkdtemp(join(tmpdir(), 'import-directions-'))
    for (const file of LINTER_FILES) {
      await cp(join(project, file), join(tree, file))
    }
    for (const { file, forbidden, permitted } of rooms) {
      const lines = formsOf([...forbidden, ...permitted]).map(({ line }) => `${line}\n`)
      await mkdir(dirname(join(tree, file)), { recursive: true })
      await writeFile(join(tree, file), lines.join(''))
    }
    restricted = await restrictedLines(tree)
  })

  afterAll(() => rm(tree, { recursive: true }))

  it.each(rooms)('$file may import what its room permits and nothing else, in any form', (room) => {
    const { file, forbidden, permitted } = room
    const refused = formsOf([...forbidden, ...permitted])
      .filter((_, index) => restricted.get(file)?.has(index + 1))
      .map(({ name }) => name)
    expect(refused).toEqual(formsOf(forbidden).map(({ name }) => name))
    expect(refused.length).toBeGreaterThan(0)
  })

  it('every room of the linter is tested here', async () => {
    // Biome defines this shape, and has checked it when it ran above.
    const { overrides } = JSON.parse(await readFile(join(project, 'biome.rooms.json'), 'utf8')) as {
      overrides: { includes: string[] }[]
    }
    const included = overrides.flatMap(({ includes }) => includes)
    const patterns = included.filter((one) => !one.startsWith('!'))
    expect(patterns.length).toBeGreaterThan(0)
    for (const pattern of patterns) {
      expect(
        rooms.filter(({ file }) => matchesGlob(file, pattern)),
        pattern,
      ).not.toEqual([])
    }
  })

  it('every folder of the source has a rule', async () => {
    const { overrides } = JSON.parse(await readFile(join(project, 'biome.rooms.json'), 'utf8')) as {
      overrides: { includes: string[] }[]
    }
    const patterns = overrides.flatMap(({ includes }) => includes)
    let folders = 0
    for await (const file of glob('src/*/**/*.{ts,js}', { cwd: project })) {
      folders += 1
      expect(
        patterns.some((pattern) => matchesGlob(file, pattern)),
        file,
      ).toBe(true)
    }
    expect(folders).toBeGreaterThan(0)
  })

  it('two files that import each other are refused, even when they import only types', async () => {
    const planted = await mkdtemp(join(tmpdir(), 'import-cycle-'))
    await cp(join(project, 'biome.json'), join(planted, 'biome.json'))
    await cp(join(project, 'biome.rooms.json'), join(planted, 'biome.rooms.json'))
    await cp(join(project, '.gitignore'), join(planted, '.gitignore'))
    await mkdir(join(planted, 'src'))
    await writeFile(join(planted, 'src/one.ts'), "export type { Two } from './two.ts'\n")
    await writeFile(
      join(planted, 'src/two.ts'),
      "import type { One } from './one.ts'\n\nexport type Two = One\n",
    )
    const found = await lint(planted, 'suspicious/noImportCycles')
    await rm(planted, { recursive: true })
    expect(found.map(({ location }) => location.path)).toContain('src/two.ts')
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
