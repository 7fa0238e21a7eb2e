import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { compileCache } from '../helpers/compile-cache.ts'
import { freePort } from '../helpers/free-port.ts'
import { logLines, statusPath } from '../helpers/gateway.ts'
import {
  GATEWAY_ENV,
  listening,
  MAIN,
  makeFifo,
  makeUnreadFifo,
  openFile,
  readMany,
  startMuted,
} from '../helpers/log-output.ts'
import { tempDirectory } from '../helpers/process.ts'

/**
 * A log that cannot be written costs lines, never service. Whatever standard output is, the gateway
 * answers, and it ends in time.
 */

const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0
const ci = process.env.CI === 'true'
/** Far below SHUTDOWN_TIMEOUT_MS, which is 25 s. */
const SOON_MS = 4_000

const msUntil = async (ended: Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await ended
  return performance.now() - from
}

interface Follower {
  readonly lines: string[]
  readonly child: ChildProcess
}

/** Reads a FIFO with a program of its own, line by line. */
const follow = (program: 'cat' | 'head', ...args: readonly string[]): Follower => {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => void lines.push(line))
  return { lines, child }
}

const alive = async (url: string): Promise<number> => (await fetch(`${url}/health/live`)).status

// Regression: the process stood still for good at the first line, with its port open.
describe.skipIf(!isLinux && !ci)('standard output on a full disk', () => {
  it.each(['its own', 'full as well'])('costs no answer; standard error is %s', async (which) => {
    const full = openFile('/dev/full', 'w')
    const { url, child, ended } = await startMuted(
      full,
      { LEMLIST_FOO: 'a variable to complain of' },
      which === 'its own' ? openFile('/dev/null', 'w') : full,
    )
    expect(await readMany(url, 3_000)).toBeGreaterThanOrEqual(3_000)
    child.kill('SIGTERM')
    expect(await msUntil(ended)).toBeLessThan(SOON_MS)
    expect(await ended).toBe(0)
  })

  it.skipIf(!isRoot && !ci)('is a log again, without half a line, when there is room', async () => {
    const disk = tempDirectory()
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=96k', 'tmpfs', disk])
    expect(status, String(stderr)).toBe(0)
    // Not as a lazy unmount: the directory is removed after this.
    onTestFinished(() => void spawnSync('umount', ['--lazy', disk]))
    writeFileSync(join(disk, 'other'), 'x'.repeat(64 * 1_024))
    const log = join(disk, 'log')
    const { url, child, ended } = await startMuted(openFile(log, 'a'))
    await readMany(url, 500)
    await vi.waitFor(() => expect(statSync(log).size).toBe(32 * 1_024), { timeout: 5_000 })
    expect(await alive(url)).toBe(200)
    rmSync(join(disk, 'other'))
    await vi.waitFor(() => expect(statSync(log).size).toBeGreaterThan(64 * 1_024), {
      timeout: 5_000,
    })
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    // It may be full again. Then its last line is a half one.
    const whole = logLines(readFileSync(log, 'utf8').replace(/[^\n]+$/, ''))
    expect(whole.length).toBeGreaterThan(250)
  })
})

describe('a FIFO as standard output', () => {
  // Regression: memory grew with each line, and SIGTERM did not end the process.
  it('that nobody reads costs lines, which are counted and told later', async () => {
    const { path, writer } = makeUnreadFifo()
    const { url, child, ended } = await startMuted(writer)
    // The gateway keeps some 16 000 lines.
    const answers = await readMany(url, 20_000)
    const { lines } = follow('cat', path)
    const LOST = 'log lines were lost: standard output did not take them'
    await vi.waitFor(() => expect(lines.join()).toContain(LOST), { timeout: 5_000 })
    await fetch(`${url}/nowhere`)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    await vi.waitFor(() => expect(lines.at(-1)).toContain('stopping'), { timeout: 5_000 })
    const messages = logLines(lines.join('\n'))
    const requests = messages.filter(({ msg }) => msg === 'request').length
    const [notice, ...more] = messages.filter(({ msg }) => msg === LOST)
    expect(more).toEqual([])
    expect(notice).toMatchObject({ level: 40, lines: expect.any(Number) })
    // Each request is in the log or was counted. The last answers of the load may not have been
    // sent to the end.
    const accounted = requests + Number(notice?.lines)
    expect(accounted).toBeGreaterThanOrEqual(answers)
    expect(accounted).toBeLessThanOrEqual(answers + 100)
  })

  it('that nobody reads does not delay the end', async () => {
    const { url, child, ended } = await startMuted(makeUnreadFifo().writer)
    await readMany(url, 1_000)
    child.kill('SIGTERM')
    expect(await msUntil(ended)).toBeLessThan(SOON_MS)
    expect(await ended).toBe(0)
  })

  it.each([
    ['after SHUTDOWN_TIMEOUT_MS, whatever hangs beside it', '300', 1],
    ['at once with a second signal', '60000', 2],
  ])('that nobody reads: the process ends %s', async (_, SHUTDOWN_TIMEOUT_MS, signals) => {
    const ref = { campaignId: 'cam_A1', exportId: 'axp_B2' }
    const lemlist = createLemlist({ apiKeys: ['a-key'], exports: [ref] })
    onTestFinished(() => lemlist.close())
    lemlist.script({ operation: 'status' }, { gate: new Promise(() => {}) })
    const { url, child, ended } = await startMuted(makeUnreadFifo().writer, {
      ...{ LEMLIST_BASE_URL: await lemlist.listen(), LEMLIST_TIMEOUT_MS: '60000' },
      SHUTDOWN_TIMEOUT_MS,
    })
    await readMany(url, 1_000)
    fetch(`${url}${statusPath(ref)}`).catch(() => {})
    await lemlist.waitForCalls(1)
    child.kill('SIGTERM')
    // Its port closes after the first signal. Only then is the next one a second one.
    await vi.waitFor(() => expect(alive(url)).rejects.toThrow(), { timeout: SOON_MS })
    if (signals === 2) child.kill('SIGTERM')
    expect(await msUntil(ended)).toBeLessThan(SOON_MS)
    expect(await ended).toBe(1)
  })

  // Regression: after `head -1` had left, SIGTERM closed the port and the process stayed.
  it('whose reader left is a log again when the next reader comes', async () => {
    const { path, writer } = makeFifo()
    const head = follow('head', '-1', path)
    const { url, child, ended } = await startMuted(writer)
    await vi.waitFor(() => expect(head.lines.join()).toContain('listening'), 5_000)
    await readMany(url, 1_000)
    expect(await alive(url)).toBe(200)
    const { lines } = follow('cat', path)
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(500), { timeout: 5_000 })
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(logLines(lines.join('\n')).length).toBeGreaterThan(500)
  })

  it('whose reader left does not delay the end', async () => {
    const { path, writer } = makeFifo()
    const head = follow('head', '-1', path)
    const { url, child, ended } = await startMuted(writer)
    await readMany(url, 1_000)
    await vi.waitFor(() => expect(head.child.exitCode).toBe(0), 5_000)
    child.kill('SIGTERM')
    expect(await msUntil(ended)).toBeLessThan(SOON_MS)
    expect(await ended).toBe(0)
  })
})

const hasScript = spawnSync('script', ['--version']).status === 0

// Regression: a terminal that was gone (EIO) froze the process, as a full disk did.
describe.skipIf(!hasScript && !ci)('a terminal as standard output', () => {
  it('may go away: a gateway with a key file goes on, and ends when it is told to', async () => {
    const folder = tempDirectory()
    writeFileSync(join(folder, 'key'), 'a-key')
    const port = await freePort()
    const { LEMLIST_API_KEY: _, ...env } = GATEWAY_ENV
    // The shell ignores the SIGHUP of the lost terminal, so that it can note how the gateway ended.
    const gateway = `${process.execPath} ${MAIN} & echo $! > pid; wait $!; echo $? > code`
    const terminal = spawn('script', ['-qec', `trap '' HUP; ${gateway}`, '/dev/null'], {
      env: {
        ...{ PATH: process.env.PATH, ...compileCache(), ...env, PORT: `${port}` },
        LEMLIST_API_KEY_FILE: join(folder, 'key'),
      },
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const pid = (): number => Number(readFileSync(join(folder, 'pid'), 'utf8'))
    onTestFinished(() => {
      terminal.kill('SIGKILL')
      spawnSync('kill', ['-KILL', String(pid())])
    })
    let shown = ''
    terminal.stdout.on('data', (data) => {
      shown += data
    })
    const url = `http://127.0.0.1:${port}`
    await listening(url, () => terminal.exitCode !== null)
    await vi.waitFor(() => expect(shown).toMatch(/\[\d\d:\d\d:\d\d\.\d+\].*listening/), 5_000)
    terminal.kill('SIGKILL')
    await once(terminal, 'close')
    expect(await readMany(url, 1_000)).toBeGreaterThanOrEqual(1_000)
    expect(await alive(url)).toBe(200)
    process.kill(pid(), 'SIGTERM')
    const code = () => readFileSync(join(folder, 'code'), 'utf8')
    await vi.waitFor(() => expect(code()).toBe('0\n'), { timeout: SOON_MS })
  })
})
