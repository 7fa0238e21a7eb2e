import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { z } from 'zod'

/**
 * Starts the server that is measured and the load that measures it, each as a process of its own.
 * Where `taskset` is installed, each has its own core.
 */

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

const SERVER_CORE = '0'
const LOAD_CORE = '1'
/** Clock ticks in a second: what `getconf CLK_TCK` says on every Linux that Node runs on. */
const TICKS_PER_S = 100
/**
 * The time that a server is given to act on the signal, milliseconds. The collection of a small
 * heap takes a few milliseconds.
 */
const ANSWERED_MS = 500

/**
 * Where the logs of servers go. The interrupts of a disk would be counted as time of a server that has its
 * core.
 */
export const inMemory = (): string => (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())

const pinned = (core: string): readonly string[] =>
  existsSync('/usr/bin/taskset') ? ['/usr/bin/taskset', '-c', core] : []

/** What is put before a command, so that it runs on any core, whichever its server was given. */
export const unpinned = (): readonly string[] => pinned(`0-${availableParallelism() - 1}`)

/** What is put before a command, so that it runs on the core of the servers. */
export const pinnedServer = (): readonly string[] => pinned(SERVER_CORE)

/** The same for the core of the load. */
export const pinnedLoad = (): readonly string[] => pinned(LOAD_CORE)

/** Resident memory of a process as it is. */
export const residentBytesOf = (pid: number | undefined): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024

/** CPU time of a process so far, user and system, milliseconds. */
export const cpuMsOf = (pid: number | undefined): number => {
  // Fields 14 and 15 of /proc/PID/stat (see proc(5)). They are counted from the end of the
  // program's name, because the name may contain spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_S
}

const file = (name: string): string => join(import.meta.dirname, name)

interface ServerOptions {
  /** A program that starts the server and observes it, such as `strace`, and its arguments. */
  readonly under?: readonly string[]
  /** The file that gets its log. By default the log is read and dropped. */
  readonly stdout?: 'pipe' | number
  /** Whether `longestStallMs` will be asked. Default: no. */
  readonly watchesStalls?: boolean
}

/**
 * Starts a server that listens on `PORT`.
 *
 * @param env what it finds in its environment beside `PATH` and `PORT`
 */
export const startServer = async (
  entry: string,
  env: Readonly<Record<string, string>>,
  { under = [], stdout = 'pipe', watchesStalls = false }: ServerOptions = {},
): Promise<Server> => {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const [program = process.execPath, ...args] = [
    ...pinned(SERVER_CORE),
    ...[...under, process.execPath, '--expose-gc'],
    ...(watchesStalls ? ['--import', file('stall-watch.ts')] : []),
    ...['--import', file('measured.ts'), file(entry)],
  ]
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), ...env },
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

/**
 * Returns a port that was free a moment ago. The benchmark chooses the port, because a gateway that
 * logs nothing does not say which port it has chosen.
 */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('the system gave no port')
  return address.port
}

export const listening = async (child: ChildProcess, port: number): Promise<void> => {
  for (;;) {
    if (child.exitCode !== null) throw new Error('the server did not start')
    const socket = connect(port, '127.0.0.1')
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isUp) return
    await delay(50)
  }
}

/** Starts the process that makes the load. It exchanges messages with this process. */
export const startLoad = (entry: string): { child: ChildProcess; end(): void } => {
  const [program] = pinned(LOAD_CORE)
  const child = fork(file(entry), [], {
    ...(program !== undefined && {
      execPath: program,
      execArgv: [...pinned(LOAD_CORE).slice(1), process.execPath],
    }),
  })
  return { child, end: () => child.kill('SIGKILL') }
}

/** Resolves to the next message of this form. */
export const message = async <T>(child: ChildProcess, form: z.ZodType<T>): Promise<T> => {
  for (;;) {
    const [value] = await once(child, 'message')
    const { data } = form.safeParse(value)
    if (data !== undefined) return data
  }
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export const print = (line = ''): void => void process.stdout.write(`${line}\n`)
