import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/**
 * CONTRIBUTING.md once described a src/metrics.ts that was not there, and files that had moved.
 * These tests keep its paths and its table of rooms true.
 */
const project = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string): string => readFileSync(join(project, file), 'utf8')

const DOCUMENTS = [
  'CONTRIBUTING.md',
  'README.md',
  'SECURITY.md',
  ...globSync('docs/*.md', { cwd: project }),
]

/** A path of the project begins with one of these folders. */
const FOLDERS = /^(src|test|tools|docs|deploy|bench|examples|openapi|\.ci)\//
/** The files beside these folders are known by their names. */
const FILES = /^([\w.-]+\.(md|json|yaml)|Dockerfile|LICENSE|\.npmrc)$/

/** Returns the paths of the project that a document names in backticks. */
const pathsIn = (document: string): string[] => [
  ...new Set(
    [...read(document).matchAll(/`([^`\s]+)`/g)]
      .map(([, word = '']) => word)
      .filter((word) => FOLDERS.test(word) || FILES.test(word)),
  ),
]

/** Returns the paths in the first column of the table "Who may import whom". */
const roomsOf = (text: string): string[] => {
  const [, section = ''] = text.split('\n### Who may import whom\n')
  const [table = ''] = section.split('\n#')
  return table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) =>
      [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, room = '']) => room),
    )
}

const contributing = read('CONTRIBUTING.md')

describe('a path that the documents name', () => {
  it('is there', () => {
    const named = DOCUMENTS.flatMap((document) =>
      pathsIn(document).map((path) => ({ document, path })),
    )
    expect(named.filter(({ path }) => !existsSync(join(project, path)))).toEqual([])
    expect(pathsIn('CONTRIBUTING.md').length).toBeGreaterThan(50)
    expect(named.length).toBeGreaterThan(60)
  })

  it('ends in a slash when it is a folder, and only then', () => {
    for (const path of pathsIn('CONTRIBUTING.md').filter((one) => FOLDERS.test(one))) {
      expect(path.endsWith('/'), path).toBe(statSync(join(project, path)).isDirectory())
    }
  })
})

describe('the map of CONTRIBUTING.md', () => {
  it('has a row for every room of the source', () => {
    const rooms = roomsOf(contributing)
    expect(rooms.length).toBeGreaterThan(15)
    const files = globSync('src/**/*.{ts,js}', { cwd: project })
    expect(files.length).toBeGreaterThan(50)
    const homeless = files.filter(
      (file) => !rooms.some((room) => (room.endsWith('/') ? file.startsWith(room) : file === room)),
    )
    expect(homeless).toEqual([])
  })

  it('has a row for every room that the linter knows, unless nobody has built it yet', () => {
    // The shape of biome's configuration, which the linter itself checks.
    const { overrides } = JSON.parse(read('biome.rooms.json')) as {
      overrides: { includes: string[] }[]
    }
    const known = overrides
      .flatMap(({ includes }) => includes)
      .filter((pattern) => !pattern.startsWith('!'))
      .map((pattern) => pattern.replace(/\*.*$/, ''))
      .filter((room) => existsSync(join(project, room)))
    expect(known.length).toBeGreaterThan(15)
    expect(roomsOf(contributing)).toEqual(expect.arrayContaining(known))
  })
})
