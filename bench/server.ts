import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { cpuMsOf, file, freePort, listening, pinnedServer, residentBytesOf } from './processes.ts'

/** Starts the server that is measured, as a process of its own. */

export interface Server {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly pid: number
  /** CPU time so far, user and system, milliseconds. */
  cpuMs(): number
  /** Resident memory after a garbage collection, bytes. */
  residentBytes(): Promise<number>
  /**
   * The longest stall of the server's event loop, milliseconds. It counts from the last call of
   * this function or of `residentBytes`. Only for a server that was started with `watchesStalls`.
   */
  longestStallMs(): Promise<number>
  /** How many bytes the server has written to the disk so far. */
  writtenBytes(): number
  end(): Promise<void>
  /** Sends SIGTERM, and resolves to the exit code and the time until the end, milliseconds. */
  stop(): Promise<{ readonly code: number | null; readonly ms: number }>
}

/**
 * The time that a server is given to act on the signal, milliseconds. The collection of a small
 * heap takes a few milliseconds.
 */
const ANSWERED_MS = 500

interface ServerOptions {
  /** A program that starts the server and observes it, such as `strace`, and its arguments. */
  readonly under?: readonly string[]
  /** The file that gets its log. By default the log is read and dropped. */
  readonly stdout?: 'pipe' | number
  /** Whether `longestStallMs` will be asked. Default: no. */
  readonly watchesStalls?: boolean
}

/**
 * Where the servers find their compiled code, as in the image. Otherwise Node would take the types out of
 * each file when a server starts, which leaves 20 MiB in its memory, and V8 would compile that program
 * while the server is measured.
 */
const compiledCode = mkdtempSync(join(tmpdir(), 'bench-compiled-'))
process.once('exit', () => rmSync(compiledCode, { recursive: true, force: true }))
const compiled = new Set<string>()

/**
 * Starts a server that listens on `PORT`.
 *
 * @param env what it finds in its environment beside `PATH` and `PORT`
 */
export const startServer = async (
  entry: string,
  env: Readonly<Record<string, string>>,
  options: ServerOptions = {},
): Promise<Server> => {
  if (!compiled.has(entry)) {
    compiled.add(entry)
    const first = await start(entry, { ...env, STORE_URL: 'memory:' }, { watchesStalls: true })
    // This has it write its compiled code.
    await first.residentBytes()
    await first.end()
  }
  return start(entry, env, options)
}

const start = async (
  entry: string,
  env: Readonly<Record<string, string>>,
  { under = [], stdout = 'pipe', watchesStalls = false }: ServerOptions,
): Promise<Server> => {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const [program = process.execPath, ...args] = [
    ...pinnedServer(),
    ...[...under, process.execPath, '--expose-gc'],
    ...(watchesStalls ? ['--import', file('stall-watch.ts')] : []),
    ...['--import', file('measured.ts'), file(entry)],
  ]
  const child = spawn(program, args, {
    env: {
      ...{ PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port) },
      ...{ NODE_COMPILE_CACHE: compiledCode, ...env },
    },
    cwd: directory,
    stdio: ['ignore', stdout, 'inherit'],
  })
  const closed = once(child, 'close')
  // The log of the server is read and dropped, so that its pipe never fills.
  child.stdout?.resume()
  await listening(child, port)
  const pid = under.length === 0 ? child.pid : (childOf(child.pid) ?? child.pid)
  const stat = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8')
  const measure = async (): Promise<void> => {
    process.kill(Number(pid), 'SIGWINCH')
    await delay(ANSWERED_MS)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    pid: Number(pid),
    cpuMs: () => cpuMsOf(pid),
    residentBytes: async () => {
      await measure()
      return residentBytesOf(pid)
    },
    longestStallMs: async () => {
      await measure()
      return Number(readFileSync(join(directory, 'longest-stall'), 'utf8'))
    },
    writtenBytes: () => Number(/^write_bytes: (\d+)$/m.exec(stat('io'))?.[1]),
    stop: async () => {
      const from = performance.now()
      process.kill(Number(pid), 'SIGTERM')
      const [code] = await closed
      rmSync(directory, { recursive: true, force: true })
      return { code, ms: performance.now() - from }
    },
    end: async () => {
      process.kill(Number(pid), 'SIGKILL')
      await closed
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Returns the id of the only child of a process, if it has one. */
const childOf = (pid: number | undefined): number | undefined =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')) || undefined
