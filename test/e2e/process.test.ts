import { once } from 'node:events'
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { logLines } from '../helpers/gateway.ts'
import { tempDirectory } from '../helpers/process.ts'
import { startProgram } from '../helpers/program.ts'

const CANARY = 'CanaryOfTheProcess'
const EXPORT = { campaignId: 'cam_A1B2C3', exportId: 'axp_D4E5F6' }
const STATUS = `/campaigns/${EXPORT.campaignId}/export/${EXPORT.exportId}/status`
const QUIET = { LEMLIST_API_KEY: CANARY, STORE_URL: 'memory:', PORT: '0' }
const LISTENING = /"url":"(http:[^"]+)".*"msg":"listening"/

const urlOf = async (program: ReturnType<typeof startProgram>): Promise<string> =>
  (await program.says(LISTENING))[1] ?? ''

describe('the gateway as a process', () => {
  it('ends with 78 and tells all that is wrong with its environment, and no value', async () => {
    const program = startProgram('main.ts', {
      env: { PORT: CANARY, STORE_URL: CANARY, HOST: '0.0.0.0', DOCS: CANARY, LEMLIST_KEY: CANARY },
    })
    expect(await program.ended).toBe(78)
    expect(program.out()).toBe('')
    const lines = program.err().trimEnd().split('\n')
    expect(lines.slice(0, 2)).toEqual([
      'LEMLIST_KEY is not a variable of the gateway; see docs/configuration.md',
      'The configuration has 5 fault(s):',
    ])
    const faulty = lines.slice(2).map((line) => line.split(':', 1)[0])
    expect(faulty.toSorted()).toEqual(['DOCS', 'HOST', 'LEMLIST_API_KEY', 'PORT', 'STORE_URL'])
    expect(program.err()).not.toContain(CANARY)
  })

  it('checks its configuration without starting', async () => {
    const cwd = tempDirectory()
    const env = { LEMLIST_API_KEY: CANARY }
    const program = startProgram('main.ts', { env, cwd, args: ['--check-config'] })
    expect(await program.ended).toBe(0)
    expect(program.out()).toBe('The configuration is sound.\n')
    expect(program.err()).toBe('')
    expect(existsSync(join(cwd, 'data'))).toBe(false)
  })

  it('reads .env where it is started, and the environment wins', async () => {
    const cwd = tempDirectory()
    writeFileSync(join(cwd, '.env'), `LEMLIST_API_KEY=${CANARY}\nPORT=70000\nDOCS=perhaps\n`)
    const program = startProgram('main.ts', { cwd, args: ['--check-config'], env: { PORT: '0' } })
    expect(await program.ended).toBe(78)
    expect(program.err()).toMatch(/^The configuration has 1 fault\(s\):\nDOCS: [^\n]+\n$/)
  })

  it('keeps its store in the working directory, for its user alone', async () => {
    const cwd = tempDirectory()
    const program = startProgram('main.ts', { cwd, env: { LEMLIST_API_KEY: CANARY, PORT: '0' } })
    await urlOf(program)
    expect(statSync(join(cwd, 'data/gateway.sqlite')).mode & 0o777).toBe(0o600)
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'ends with 0 on %s, its log written',
    async (signal) => {
      const program = startProgram('main.ts', { env: QUIET })
      const url = await urlOf(program)
      const answer = await fetch(`${url}/nowhere`)
      expect(answer.status).toBe(404)
      program.child.kill(signal)
      expect(await program.ended).toBe(0)
      const lines = logLines(program.out())
      expect(lines.map(({ msg }) => msg)).toEqual(['listening', 'request', 'stopping'])
      expect(lines[1]).toMatchObject({ requestId: answer.headers.get('x-request-id') })
      expect(program.err()).toBe('')
      await expect(fetch(`${url}/nowhere`)).rejects.toThrow()
    },
  )

  it('goes on when nobody reads its log any more', async () => {
    const program = startProgram('main.ts', { env: QUIET })
    const url = await urlOf(program)
    program.child.stdout?.destroy()
    // More than the log holds back before it writes.
    for (let n = 0; n < 100; n += 1) await fetch(`${url}/nowhere`)
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
  })

  it('answers what it was asked before it was told to stop', async () => {
    const lemlist = createLemlist({
      apiKeys: [CANARY],
      exports: [{ ...EXPORT, durationMs: 1_000 }],
    })
    onTestFinished(() => lemlist.close())
    const gate = Promise.withResolvers<void>()
    lemlist.script({ operation: 'status' }, { gate: gate.promise })
    const env = { ...QUIET, LEMLIST_BASE_URL: await lemlist.listen() }
    const program = startProgram('main.ts', { env })
    const answer = fetch(`${await urlOf(program)}${STATUS}`)
    await lemlist.waitForCalls(1)
    program.child.kill('SIGTERM')
    await program.says(/stopping/)
    gate.resolve()
    expect((await answer).status).toBe(200)
    expect(await program.ended).toBe(0)
  })

  it('is cut short after SHUTDOWN_TIMEOUT_MS, and says so by its exit code', async () => {
    const lemlist = createLemlist({ apiKeys: [CANARY], exports: [{ ...EXPORT }] })
    onTestFinished(() => lemlist.close())
    lemlist.script({ operation: 'status' }, { gate: new Promise(() => {}) })
    const env = {
      ...QUIET,
      LEMLIST_BASE_URL: await lemlist.listen(),
      LEMLIST_TIMEOUT_MS: '60000',
      SHUTDOWN_TIMEOUT_MS: '300',
    }
    const program = startProgram('main.ts', { env })
    const answer = fetch(`${await urlOf(program)}${STATUS}`)
    answer.catch(() => {})
    await lemlist.waitForCalls(1)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(1)
    await expect(answer).rejects.toThrow()
  })

  // A store that was open and timers that ran once kept such a process alive, listening to nobody.
  it.each(['PORT', 'OPS_PORT'])('ends with 1 and one clear line when %s is taken', async (name) => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    // Of a server that listens on TCP.
    const { port } = other.address() as { port: number }
    const env = { ...QUIET, [name]: String(port), DRAIN_DELAY_MS: '60000' }
    const program = startProgram('main.ts', { env })
    expect(await program.ended).toBe(1)
    expect(program.err()).toMatch(/^The gateway cannot start: [^\n]*EADDRINUSE[^\n]*\n$/)
    expect(program.err()).toContain(String(port))
  })

  it('ends with 1 and one clear line when its store belongs to another process', async () => {
    const cwd = tempDirectory()
    const env = { ...QUIET, STORE_URL: 'sqlite:gateway.sqlite' }
    const first = startProgram('main.ts', { cwd, env })
    const url = await urlOf(first)
    const second = startProgram('main.ts', { cwd, env })
    expect(await second.ended).toBe(1)
    expect(second.err()).toMatch(/^The gateway cannot start: [^\n]+\n$/)
    expect(second.err()).toMatch(/process/)
    expect((await fetch(`${url}/health/ready`)).status).toBe(200)
  })

  it('ends with 1 and one clear line when it may not write its store', async () => {
    const cwd = tempDirectory()
    writeFileSync(join(cwd, 'data'), 'a file where a folder should be')
    const program = startProgram('main.ts', { cwd, env: { LEMLIST_API_KEY: CANARY, PORT: '0' } })
    expect(await program.ended).toBe(1)
    expect(program.err()).toMatch(/^The gateway cannot start: [^\n]+\n$/)
  })
})

describe('a key file', () => {
  const begin = async (key: string) => {
    const lemlist = createLemlist({
      apiKeys: ['first-key', 'second-key'],
      exports: [{ ...EXPORT, outcome: 'never' }],
    })
    onTestFinished(() => lemlist.close())
    const file = join(tempDirectory(), 'key')
    writeFileSync(file, key)
    const env = {
      LEMLIST_API_KEY_FILE: file,
      LEMLIST_BASE_URL: await lemlist.listen(),
      STORE_URL: 'memory:',
      PORT: '0',
    }
    const program = startProgram('main.ts', { env })
    const url = await urlOf(program)
    const usedKey = async () => {
      await fetch(`${url}${STATUS}`)
      const [, encoded = ''] = lemlist.calls.at(-1)?.authorization?.split(' ') ?? []
      return Buffer.from(encoded, 'base64').toString()
    }
    return { program, file, usedKey }
  }

  // SIGHUP once ended the process: the library that waits for SIGTERM takes it for one.
  it('is read again on SIGHUP: the next call to lemlist uses what it holds then', async () => {
    const { program, file, usedKey } = await begin('first-key\n')
    expect(await usedKey()).toBe(':first-key')
    writeFileSync(file, 'second-key\n')
    expect(await usedKey()).toBe(':first-key')
    program.child.kill('SIGHUP')
    await program.says(/"action":"reload"/)
    expect(await usedKey()).toBe(':second-key')
    expect(program.out()).not.toMatch(/(first|second)-key/)
  })

  it.each([
    ['is gone', (file: string) => rmSync(file)],
    ['holds nonsense', (file: string) => writeFileSync(file, `${CANARY} and more`)],
  ])('that %s on SIGHUP changes nothing', async (_, spoil) => {
    const { program, file, usedKey } = await begin('first-key')
    spoil(file)
    program.child.kill('SIGHUP')
    await program.says(/could not be read again/)
    expect(await usedKey()).toBe(':first-key')
    expect(program.out()).not.toContain(CANARY)
  })
})
