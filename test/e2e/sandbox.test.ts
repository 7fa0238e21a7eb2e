import { describe, expect, it } from 'vitest'
import { curlObstacle, runCurl } from '../helpers/curl.ts'
import { isDocumented } from '../helpers/documented-answers.ts'
import { startProgram } from '../helpers/program.ts'

const obstacle = await curlObstacle()

/** What each ready-made export is at its first look, and what becomes of it if one waits. */
const EXPORTS = [
  { title: 'quick', first: /pending|done/, later: 'done', wait: 5 },
  { title: 'slow', first: /pending/, later: 'pending', wait: 1 },
  { title: 'error', first: /pending/, later: 'error', wait: 20 },
  { title: 'done', first: /done/, later: 'done', wait: 1 },
  { title: 'never', first: /pending/, later: 'pending', wait: 1 },
] as const

const startSandbox = async (env: Readonly<Record<string, string>> = {}) => {
  const program = startProgram('sandbox/main.ts', { env: { PORT: '0', ...env } })
  await program.says(/Press Ctrl-C to stop/)
  return program
}

/** The curl lines of the welcome, by the first word of the comment above. */
const curlLines = (welcome: string): ReadonlyMap<string, string> =>
  new Map(
    [...welcome.matchAll(/^ *# (\w+):.*\n *(curl .+\/status)$/gm)].map(
      ([, title = '', line = '']) => [title, line],
    ),
  )

const stateOf = (answer: string): string => {
  const [, body = ''] = answer.split('\n\n')
  const contentType = 'application/json'
  expect(isDocumented('status', { status: 200, contentType, body }), body).toBe(true)
  return JSON.parse(body).status.status
}

describe('the sandbox as a process', () => {
  it('serves in under 10 s, says where, and complains of nothing', async () => {
    const begun = performance.now()
    const program = await startSandbox()
    expect(performance.now() - begun).toBeLessThan(10_000)
    expect(program.err()).toBe('')
    const urls = program.out().match(/http:\/\/\S+\/(docs\/|openapi\.json)$/gm) ?? []
    expect(urls).toHaveLength(2)
    for (const url of urls) expect((await fetch(url)).status).toBe(200)
  })

  it('leaves nothing behind where it runs, and shows the same at a second start', async () => {
    const [first, second] = [await startSandbox(), await startSandbox()]
    const idsOf = (text: string) => [...text.matchAll(/axp_\w+/g)].map(([id]) => id)
    expect(idsOf(first.out()).length).toBeGreaterThan(0)
    expect(idsOf(second.out())).toEqual(idsOf(first.out()))
  })

  it('ends with 0 when it is told to, its lemlist with it', async () => {
    const program = await startSandbox()
    program.child.kill('SIGINT')
    expect(await program.ended).toBe(0)
  })

  it('ends with 78 and says why when a variable is wrong', async () => {
    const program = startProgram('sandbox/main.ts', { env: { PORT: 'eighty' } })
    expect(await program.ended).toBe(78)
    expect(program.err()).toMatch(/PORT: must be a whole number/)
  })
})

describe.skipIf(obstacle !== undefined)(
  `what the sandbox prints${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    it('is a line for every ready-made export', async () => {
      const program = await startSandbox()
      const titles = [...curlLines(program.out()).keys()]
      expect(titles).toEqual(EXPORTS.map(({ title }) => title))
    })

    it.each(EXPORTS)('$title is what it says', async ({ title, first, later, wait }) => {
      const program = await startSandbox()
      const line = curlLines(program.out()).get(title)
      if (line === undefined) throw new Error(`no line for ${title}`)
      const answer = await runCurl(line)
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\n/)
      expect(stateOf(answer)).toMatch(first)
      const waited = await runCurl(line.replace('curl', `curl -H 'Prefer: wait=${wait}'`))
      expect(stateOf(waited)).toBe(later)
    })
  },
)
