import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A real Redis on a free port that writes nothing to disk. It ends with the test. */
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

/** A port that nobody listens on now. When another program takes it, `startRedis` tries another. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const ATTEMPTS = 5

export const redisUrl = (port: number, password?: string): string =>
  `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`

interface RedisServerOptions {
  /** The port that an earlier server of the test had. Default: a free one. */
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
  let said = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = options.port ?? (await freePort())
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
    const ready = Promise.withResolvers<boolean>()
    const closed = once(child, 'close').catch((error: unknown) => {
      said = String(error)
    })
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes(readyLine)) ready.resolve(true)
    })
    void closed.then(() => ready.resolve(false))
    onEnd(async () => {
      child.kill('SIGKILL')
      await closed
      rmSync(directory, { recursive: true, force: true })
    })
    if (!(await ready.promise)) continue
    return {
      port,
      url: redisUrl(port, password),
      child,
      pause: () => void child.kill('SIGSTOP'),
      resume: () => void child.kill('SIGCONT'),
      kill: async () => {
        child.kill('SIGKILL')
        await closed
      },
    }
  }
  throw new Error(`redis-server did not start:\n${said}`)
}
