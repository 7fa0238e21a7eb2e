import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { curlObstacle, runCurl } from '../helpers/curl.ts'
import { startProgram } from '../helpers/program.ts'

const project = new URL('../../', import.meta.url)
const readme = readFileSync(new URL('README.md', project), 'utf8')
const manifest = JSON.parse(readFileSync(new URL('package.json', project), 'utf8'))
const obstacle = await curlObstacle()

interface Example {
  readonly line: string
  /** What is printed below, line by line; `…` is whatever differs each time. */
  readonly printed: readonly string[]
}

/** Every curl line of the README, with the answer below it. */
const EXAMPLES: readonly Example[] = [...readme.matchAll(/^```console\n(.+?)^```$/gms)].flatMap(
  ([, block = '']) =>
    block
      .split(/^\$ /m)
      .filter((part) => part !== '')
      .map((part) => {
        const [line = '', ...printed] = part.trimEnd().split('\n')
        return { line, printed: printed.filter((text) => text !== '') }
      }),
)

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const patternOf = (printed: string): RegExp =>
  new RegExp(`^${printed.split('…').map(escaped).join('.*')}$`)

/** The lines of an answer that the README promises and that did not come, in their order. */
const missing = (printed: readonly string[], answer: string): string[] => {
  const lines = answer.split('\n')
  return printed.filter((text) => {
    const at = lines.findIndex((line) => patternOf(text).test(line))
    lines.splice(0, at + 1)
    return at === -1
  })
}

describe('the judge of examples', () => {
  const answer = 'HTTP/1.1 200 OK\netag: "abc"\nage: 0\n\n{"a":1,"b":2}'

  it('lets an answer through that says the same', () => {
    expect(missing(['HTTP/1.1 200 OK', 'etag: "…"', '{…,"b":2}'], answer)).toEqual([])
  })

  it('tells what an answer does not say, or says earlier', () => {
    expect(missing(['HTTP/1.1 404 Not Found', 'age: 1'], answer)).toHaveLength(2)
    expect(missing(['age: 0', 'etag: "…"'], answer)).toEqual(['etag: "…"'])
    expect(missing(['{"a":1'], answer)).toHaveLength(1)
  })
})

describe('the README', () => {
  it('has examples, each with the answer below it', () => {
    expect(EXAMPLES.length).toBeGreaterThan(5)
    expect(EXAMPLES.length).toBe(readme.match(/\bcurl -/g)?.length)
    for (const { line, printed } of EXAMPLES) {
      expect(line).toMatch(/^curl /)
      expect(printed[0], line).toBeDefined()
    }
  })

  it('names only npm scripts that exist', () => {
    const named = [...readme.matchAll(/npm run ([a-z:-]+)/g)].map(([, name]) => name)
    expect(named.length).toBeGreaterThan(1)
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(named))
  })

  it('links only to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path)
    expect(links.length).toBeGreaterThan(3)
    for (const path of links) expect(existsSync(new URL(path, project)), path).toBe(true)
  })

  it('knows no place but its own', () => {
    expect(readme).not.toContain(fileURLToPath(project))
    expect(readme).not.toMatch(/\/(home|Users|root|work|tmp)\//)
  })
})

describe.skipIf(obstacle !== undefined)(
  `the lines of the README${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    it.each(EXAMPLES)('answers as printed: $line', async ({ line, printed }) => {
      // Each against a sandbox of its own: a reader may begin with any of them.
      const program = startProgram('sandbox/main.ts', { env: { PORT: '0' } })
      const [, url = ''] = await program.says(/OpenAPI +(http:\S+)\/openapi\.json/)
      const answer = await runCurl(line.replace('http://127.0.0.1:8080', url))
      expect(missing(printed, answer), answer).toEqual([])
    })
  },
)
