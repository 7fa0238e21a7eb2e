import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { reservePort } from './free-port.ts'

/**
 * A real Redis that writes nothing to disk. It ends with the test. Until then it keeps its port, also
 * when it is killed.
 */
export interface RedisServer {
  readonly port: number
  /** `redis://127.0.0.1:PORT`, with the password if there is one */
  readonly url: string
  readonly child: ChildProcess
  /** Stops the process, so that Redis answers nothing but closes no connection. */
  pause(): void
  resume(): void
  /** Resolves when the process has ended. */
  kill(): Promise<void>
}

const installed = spawnSync('redis-server', ['--version']).status === 0

/** For `describe.skipIf`: without Redis tests are skipped. In CI, which must have it, they fail. */
export const withoutRedis = !installed && process.env.CI !== 'true'

export const redisUrl = (port: number, password?: string): string =>
  `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`

interface RedisServerOptions {
  /** The port of an earlier server of the test, which was killed. Default: a free one. */
  readonly port?: number
  readonly args?: readonly string[]
  /** Redis refuses every client without this password. Default: it asks for none. */
  readonly password?: string
  /** Starts a Sentinel, which watches no server. */
  readonly isSentinel?: boolean
  /** Registers what stops Redis. By default that happens at the end of the test. */
  readonly onEnd?: (end: () => Promise<void>) => void
}

export const startRedis = async (options: RedisServerOptions = {}): Promise<RedisServer> => {
  const { onEnd = onTestFinished, isSentinel = false, password } = options
  const secret = password === undefined ? [] : ['--requirepass', password]
  const readyLine = isSentinel ? 'Sentinel ID is' : 'Ready to accept connections'
  const { port, release } =
    options.port === undefined
      ? await reservePort()
      : { port: options.port, release: async () => {} }
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  const where = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory]
  // A Sentinel keeps its state in its own configuration file.
  const config = join(directory, 'sentinel.conf')
  if (isSentinel) writeFileSync(config, '')
  const kind = isSentinel ? [config, '--sentinel'] : ['--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', [...kind, ...where, ...secret, ...(options.args ?? [])], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const ready = Promise.withResolvers<boolean>()
  const closed = once(child, 'close').catch((error: unknown) => {
    said = String(error)
  })
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (said.includes(readyLine)) ready.resolve(true)
  })
  void closed.then(() => ready.resolve(false))
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await closed
  }
  onEnd(async () => {
    await kill()
    rmSync(directory, { recursive: true, force: true })
    await release()
  })
  if (!(await ready.promise)) throw new Error(`redis-server did not start:\n${said}`)
  return {
    port,
    url: redisUrl(port, password),
    child,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill,
  }
}
