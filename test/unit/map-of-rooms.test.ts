import { globSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { LINTER_FILES, restrictedLines } from '../helpers/linter.ts'

/** CONTRIBUTING.md says who may import whom, and the linter decides it. Both must say the same. */
const project = fileURLToPath(new URL('../../', import.meta.url))
const contributing = readFileSync(join(project, 'CONTRIBUTING.md'), 'utf8')

const pathsIn = (text: string): string[] =>
  [...text.matchAll(/`(src\/[^`]+)`/g)].map(([, path = '']) => path)

/** A folder is represented by a file in it. */
const fileOf = (room: string): string => (room.endsWith('/') ? `${room}planted.ts` : room)
const isInside = (room: string, file: string): boolean =>
  room.endsWith('/') ? file.startsWith(room) : file === room

interface Row {
  readonly room: string
  readonly may: (file: string) => boolean
  readonly named: readonly string[]
}

const [, section = ''] = contributing.split('\n### Who may import whom\n')
const rows: readonly Row[] = (section.split('\n#')[0] ?? '')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => {
    const [, rooms = '', , imports = ''] = line.split('|')
    const named = pathsIn(imports)
    const words = imports.includes('the words') ? ['src/exports/planted.ts'] : []
    const shared = imports.includes('what all stores share') ? ['src/store/planted.ts'] : []
    const may = (file: string): boolean =>
      imports.trim() === 'anything' ||
      [...named, ...words, ...shared].some((one) => isInside(one, file))
    return pathsIn(rooms).map((room) => ({ room, may, named: named.map(fileOf) }))
  })

describe('the table "who may import whom" of CONTRIBUTING.md', () => {
  it('permits what the linter permits, and nothing else, between any two rooms', async () => {
    expect(rows.length).toBeGreaterThan(20)
    const targets = [...new Set(rows.flatMap(({ room, named }) => [fileOf(room), ...named]))]
    const tree = await mkdtemp(join(tmpdir(), 'map-of-rooms-'))
    for (const file of LINTER_FILES) await cp(join(project, file), join(tree, file))
    const asked = rows.map(({ room, may }) => {
      const file = fileOf(room)
      const others = targets.filter((target) => dirname(target) !== dirname(file))
      return { file, may, others }
    })
    for (const { file, others } of asked) {
      const lines = others.map((target) => {
        const from = relative(dirname(file), target)
        return `import '${from.startsWith('.') ? from : `./${from}`}'\n`
      })
      await mkdir(dirname(join(tree, file)), { recursive: true })
      await writeFile(join(tree, file), lines.join(''))
    }
    const refused = await restrictedLines(tree)
    await rm(tree, { recursive: true })
    for (const { file, may, others } of asked) {
      const permitted = others.filter((_, index) => !refused.get(file)?.has(index + 1))
      expect(permitted, file).toEqual(others.filter(may))
    }
  })
})

describe('CONTRIBUTING.md', () => {
  it('names every folder of the source and of the tests, and those beside them', () => {
    const folders = [
      ...globSync(['src/**/', 'test/*/', 'bench/', 'tools/', 'deploy/', 'examples/', 'docs/'], {
        cwd: project,
      }),
    ].map((folder) => `${folder.replace(/\/$/, '')}/`)
    expect(folders.length).toBeGreaterThan(25)
    const named = new Set([...contributing.matchAll(/`([^`\s]+)`/g)].map(([, path]) => path))
    const inside = (folder: string) => folder === 'src/' || folder.startsWith('test/http/')
    expect(folders.filter((folder) => !named.has(folder) && !inside(folder))).toEqual([])
  })

  it('names every script of package.json', () => {
    // npm has checked the shape of this file.
    const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const commands = Object.keys(scripts).map((name) =>
      name === 'start' || name === 'test' ? `npm ${name}` : `npm run ${name}`,
    )
    expect(commands.length).toBeGreaterThan(10)
    for (const command of commands) {
      expect(contributing, command).toMatch(new RegExp(`\`${command}( [^\`]*)?\``))
    }
  })

  it('names every script with a name that package.json has', () => {
    const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const documents = ['CONTRIBUTING.md', 'SECURITY.md', ...globSync('docs/*.md', { cwd: project })]
    const named = documents.flatMap((document) =>
      [
        ...readFileSync(join(project, document), 'utf8').matchAll(/npm run (?:-\S+ )*([\w:-]+)/g),
      ].map(([, name = '']) => name),
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })

  it('names every benchmark, and those alone that take long', () => {
    const main = readFileSync(join(project, 'bench/main.ts'), 'utf8')
    const keysOf = (name: string): string[] =>
      [
        ...(main.split(`const ${name} = {`)[1]?.split('\n}')[0] ?? '').matchAll(/(\w+): measure/g),
      ].map(([, key = '']) => key)
    const long = keysOf('LONG')
    expect(long.length).toBeGreaterThan(3)
    const [, told = ''] = /((?:`\w+`,? (?:and )?)+)take long/.exec(contributing) ?? []
    expect([...told.matchAll(/`(\w+)`/g)].map(([, key]) => key)).toEqual(long)
  })
})
