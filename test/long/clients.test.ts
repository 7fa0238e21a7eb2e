import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readyMade } from '../../src/sandbox/ready-made.ts'
import { recordAnswered } from '../helpers/answered.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { curlObstacle } from '../helpers/curl.ts'
import { startGateway } from '../helpers/gateway.ts'
import { startHastyProxy } from '../helpers/hasty-proxy.ts'
import { sharedBrowser } from '../helpers/live-page.ts'
import { fencesIn } from '../helpers/markdown.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { requestsObstacle } from '../helpers/python.ts'

const project = fileURLToPath(new URL('../../', import.meta.url))
const guide = readFileSync(join(project, 'docs/clients.md'), 'utf8')
const LOCAL = 'http://127.0.0.1:8080'
const EVENTS = '/campaigns/cam_SandboxCampaign01/export/axp_SandboxSlow000001/events'
const UNKNOWN = EVENTS.replace('SandboxSlow000001', 'Nobody')

/** Returns the program below a heading of the guide. */
const programOf = (heading: string): string => {
  const [, section = ''] = guide.split(`\n## ${heading}\n`)
  const [program] = fencesIn(section.split('\n## ')[0] ?? '')
  if (program === undefined) throw new Error(`the guide has no program below ${heading}`)
  return program.text
}

/** The program in Node of the reference, for the export that the guide watches. */
const [, reference] = fencesIn(readFileSync(join(project, 'docs/api.md'), 'utf8'))
  .filter(({ language }) => language === 'js')
  .map(({ text }) => text.replace(/axp_\w+/, 'axp_SandboxSlow000001'))

const IN_NODE = 'eventsource, undici and launchdarkly-eventsource in Node'
const POLYFILLS = 'event-source-polyfill and reconnecting-eventsource'
const WRAPPED = "import EventSource from 'reconnecting-eventsource'"

const node = ['node', process.execPath, '--input-type=module', '-'] as const
const PROGRAMS = [
  { name: 'eventsource in docs/api.md', program: reference ?? '', command: node },
  { name: 'eventsource', program: programOf(IN_NODE), command: node },
  {
    name: 'undici',
    program: programOf(IN_NODE).replace("'eventsource'", "'undici'"),
    command: node,
  },
  {
    name: 'launchdarkly-eventsource',
    program: programOf(IN_NODE).replace("'eventsource'", "'launchdarkly-eventsource'"),
    command: node,
  },
  {
    name: 'fetch with eventsource-parser',
    program: programOf('fetch with eventsource-parser'),
    command: node,
  },
  { name: 'Python', program: programOf('Python'), command: ['python3', 'python3', '-'] },
  { name: 'curl', program: programOf('curl'), command: ['bash', 'bash', '-s'] },
] as const

const PAGES = [
  { name: 'EventSource', program: programOf('EventSource of a browser') },
  { name: 'event-source-polyfill', program: programOf(POLYFILLS) },
  { name: 'reconnecting-eventsource', program: programOf(POLYFILLS).replace(/^.*/, WRAPPED) },
  { name: 'fetch-event-source', program: programOf('fetch-event-source') },
] as const

const CUTS = ['abrupt', 'clean'] as const
const obstacles: Readonly<Record<string, string | undefined>> = {
  Python: await requestsObstacle(),
  curl: await curlObstacle(),
}
const browser = browserObstacle()

/** Starts a gateway that cuts each stream after 400 ms. The slow export takes 1.2 s from its first look. */
const start = async (cut: string) => {
  const gateway = await startGateway({
    env: { ...FAST, SSE_MAX_AGE_MS: '400', SSE_CUT: cut },
    lemlist: { exports: readyMade(), rateLimit: UNLIMITED, timeScale: 30 },
  })
  const answered = recordAnswered(gateway.app)
  const { url } = await startHastyProxy(gateway.url)
  const statuses = () =>
    answered.filter(({ url }) => url.includes('/events')).map(({ status }) => status)
  return { url, statuses }
}

/** Runs a program with its text as input. Resolves to how it ended and what it printed. */
const run = async ([, command, ...args]: readonly string[], program: string) => {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_PROXY: '*', no_proxy: '*' }
  const child = spawn(command ?? '', args, { cwd: project, env, timeout: 60_000 })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  let complaints = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  child.stdin.end(program)
  const [code] = await once(child, 'close')
  return { code, printed, complaints }
}

/** Bundles a program for browsers, as the author of a page does. */
const bundled = async (program: string): Promise<string> => {
  const bundle = await rolldown({
    input: 'program',
    platform: 'browser',
    plugins: [
      {
        name: 'program',
        // The packages are looked for from the folder of this file.
        resolveId: (id) => (id === 'program' ? join(import.meta.dirname, 'program.js') : null),
        load: (id) => (id.endsWith('program.js') ? program : null),
      },
    ],
  })
  const { output } = await bundle.generate({ format: 'esm' })
  await bundle.close()
  return output[0].code
}

describe('docs/clients.md', () => {
  it('shows no program that does not run here, but for the one in Go', () => {
    const shown = fencesIn(guide).filter(({ language }) => language !== 'go')
    const run = new Set([...PROGRAMS, ...PAGES].map(({ program }) => program))
    expect(shown.map(({ text }) => text).filter((text) => !run.has(text))).toEqual([])
    expect(programOf('Go')).toContain(LOCAL + EVENTS)
    expect(guide).toContain('No test runs this program')
    expect(guide).toContain(`\`${WRAPPED}\``)
  })

  it('names the versions that are tried', () => {
    const { devDependencies, dependencies } = JSON.parse(
      readFileSync(join(project, 'package.json'), 'utf8'),
    )
    const versions: Record<string, string> = { ...devDependencies, ...dependencies }
    for (const [, name = '', version] of guide.matchAll(
      /^\| \[[^|]*`([^`]+)`\][^|]*\| ([\d.]+) \|/gm,
    )) {
      if (!name.startsWith('requests')) expect([name, version]).toEqual([name, versions[name]])
    }
  })

  it('is at most 200 lines long', () => {
    expect(guide.trimEnd().split('\n').length).toBeLessThanOrEqual(200)
  })
})

const tries = CUTS.flatMap((cut) => PROGRAMS.map((one) => ({ ...one, cut })))
// Regression: eventsource and undici let Node end at the first cut, with exit code 0.
describe.each(tries)('$name after $cut cuts', ({ name, program, command, cut }) => {
  const obstacle = obstacles[name]
  const why = obstacle ? ` (${obstacle})` : ''

  it.skipIf(obstacle !== undefined)(`follows an export to its end, and ends${why}`, async () => {
    const { url, statuses } = await start(cut)
    const { code, printed, complaints } = await run(command, program.replace(LOCAL, url))
    expect(code, complaints).toBe(0)
    if (name === 'curl') expect(complaints).toContain('"status":"done"')
    else expect(printed).toMatch(/^(pending\n)+done\n$/)
    expect(statuses().length).toBeGreaterThanOrEqual(2)
    expect(new Set(statuses())).toEqual(new Set([200]))
  })
})

describe.each(PROGRAMS)('$name', ({ name, program, command }) => {
  const obstacle = obstacles[name]
  const why = obstacle ? ` (${obstacle})` : ''

  it.skipIf(obstacle !== undefined)(`does not repeat what is refused${why}`, async () => {
    const { url, statuses } = await start('abrupt')
    await run(command, program.replace(LOCAL + EVENTS, url + UNKNOWN))
    expect(statuses()).toEqual([404])
  })
})

describe.skipIf(browser !== undefined)(`in a browser${browser ? ` (${browser})` : ''}`, () => {
  const openPage = sharedBrowser()

  it.each(CUTS.flatMap((cut) => PAGES.map((one) => ({ ...one, cut }))))(
    '$name follows an export to its end after $cut cuts, and does not come back',
    async ({ program, cut }) => {
      const { url, statuses } = await start(cut)
      const { page, complaints } = await openPage(`${url}/health/live`)
      await page.addScriptTag({ type: 'module', content: await bundled(program) })
      const said = () =>
        complaints.filter((line) => line.startsWith('log: ')).map((line) => line.slice(5))
      await expect.poll(said, { timeout: 30_000 }).toContain('done')
      // The proxy makes the hour of `end` 50 ms: a client that is not closed comes back at once.
      const before = statuses().length
      await page.evaluate('new Promise((resolve) => setTimeout(resolve, 500))')
      expect(said().join('\n')).toMatch(/^(pending\n)+done$/)
      expect(before).toBeGreaterThanOrEqual(2)
      expect(new Set(statuses())).toEqual(new Set([200]))
    },
  )
})
