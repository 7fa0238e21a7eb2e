import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseAccessFile } from '../../src/access/access-file.ts'
import { getStatus } from '../../src/client/client.js'
import { loadConfig } from '../../src/config/config.ts'
import { sandbox } from '../../src/sandbox/main.ts'
import { curlObstacle, runCurl } from '../helpers/curl.ts'
import { fakeHost } from '../helpers/fake-host.ts'
import { fencesIn, missingFrom, sessionsIn } from '../helpers/markdown.ts'
import { tempDirectory } from '../helpers/process.ts'

/** Follows docs/access.md from the first key to a ticket, as a reader does. */
const project = fileURLToPath(new URL('../../', import.meta.url))
const guide = readFileSync(join(project, 'docs/access.md'), 'utf8')
const textsOf = (language: string) =>
  fencesIn(guide)
    .filter((fence) => fence.language === language)
    .map(({ text }) => text)
const execute = promisify(execFile)
const obstacle = await curlObstacle()

const [[newCaller] = [], requests = [], tickets = []] = sessionsIn(guide)
const [firstFile = '', secondFile = ''] = textsOf('json')
const LOCAL = 'http://127.0.0.1:8080'
const DONE = { campaignId: 'cam_SandboxCampaign01', exportId: 'axp_SandboxDone000001' }

/** Makes a key by the first command of the guide. */
const makeKey = async () => {
  const [command = '', ...args] = newCaller?.line.split(' ') ?? []
  const { stdout } = await execute(command, args, { cwd: project })
  const [key = '', digest = ''] = [/leg_\S+/, /sha256:\w+/].map((one) => one.exec(stdout)?.[0])
  return { stdout, key, digest }
}

/** The sandbox with the access file of the guide. Resolves to its URL and the key. */
const start = async () => {
  const { key, digest } = await makeKey()
  const path = join(tempDirectory(), 'access.json')
  writeFileSync(path, firstFile.replace('sha256:…', digest))
  const host = fakeHost({ env: { PORT: '0', AUTH: 'keys', ACCESS_FILE: path } })
  await sandbox(host)
  const [, url] = /OpenAPI +(http:\S+)\/openapi\.json/.exec(host.printed.join('\n')) ?? []
  if (url === undefined) throw new Error(`no sandbox: ${host.complaints.join('\n')}`)
  return { url, key }
}

/** Runs a program with its text as input. Resolves to what it printed. */
const run = async (command: string, args: readonly string[], program: string, key: string) => {
  const env = { PATH: process.env.PATH, GATEWAY_KEY: key, NO_PROXY: '*', no_proxy: '*' }
  const child = spawn(command, args, { cwd: project, env, timeout: 60_000 })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  for (const out of [child.stdout, child.stderr]) {
    out.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  }
  child.stdin.end(program)
  await once(child, 'close')
  return printed.trim()
}

describe.skipIf(obstacle !== undefined)(`docs/access.md${obstacle ? ` (${obstacle})` : ''}`, () => {
  it('makes a key with its first command, which prints what it shows', async () => {
    const { stdout, key } = await makeKey()
    expect(missingFrom(stdout, newCaller?.printed ?? ['nothing'])).toEqual([])
    expect(key).toMatch(/^leg_[\w-]{43}$/)
  })

  it.each([
    ['the requests with a key', requests],
    ['the request for a ticket', tickets],
  ])('prints what it shows: %s', async (_, commands) => {
    const { url, key } = await start()
    expect(commands.length).toBeGreaterThan(0)
    for (const { line, printed } of commands) {
      const answer = await runCurl(line.replace(LOCAL, url).replace('leg_…', key))
      expect(missingFrom(answer, printed), answer).toEqual([])
    }
  })

  it.each([
    ['in Node', 'js', process.execPath, ['--input-type=module', '-']],
    ['in Python', 'python', 'python3', ['-']],
  ] as const)('has a backend %s that brings a ticket', async (_, language, command, args) => {
    const { url, key } = await start()
    const [program = ''] = textsOf(language)
    const ticket = await run(command, args, program.replace(LOCAL, url), key)
    expect(ticket).toMatch(/^eyJ[\w.-]+$/)
    const read = getStatus({ baseUrl: url, ...DONE, ticket: async () => ticket })
    expect((await read).status.status).toBe('done')
    const foreign = { ...DONE, exportId: 'axp_SandboxSlow000001' }
    const other = getStatus({ baseUrl: url, ...foreign, ticket: async () => ticket })
    await expect(other).rejects.toMatchObject({ code: 'campaign-not-found' })
  })

  it('shows access files without a fault', () => {
    const digests = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}`)
    for (const text of [firstFile, secondFile]) {
      const file = parseAccessFile(text.replaceAll('sha256:…', () => digests.pop() ?? ''))
      expect(file.callers.size).toBeGreaterThan(0)
    }
  })

  it('shows variables without a fault', () => {
    const lines = textsOf('sh').map((text) => text.trim())
    expect(lines.length).toBeGreaterThan(2)
    const path = join(tempDirectory(), 'access.json')
    writeFileSync(path, '{}')
    for (const line of lines) {
      const shown = [...line.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value])
      const env = { ...Object.fromEntries(shown), LEMLIST_API_KEY: 'key' }
      expect(() =>
        loadConfig('ACCESS_FILE' in env ? { ...env, ACCESS_FILE: path } : env),
      ).not.toThrow()
    }
  })
})
