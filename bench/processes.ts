import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { z } from 'zod'

/** What is measured and what measures it run as processes of their own, each on its own core where that can be had. */

export interface Server {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** CPU time so far, user and system, milliseconds. */
  cpuMs(): number
  /** Memory that is really there, bytes, after a collection. */
  residentBytes(): Promise<number>
  end(): Promise<void>
}

const SERVER_CORE = '0'
const LOAD_CORE = '1'
/** `getconf CLK_TCK` of every Linux that Node runs on. */
const TICKS_PER_S = 100
/** A collection of a small heap takes a few milliseconds. */
const COLLECTED_MS = 500

const pinned = (core: string): readonly string[] =>
  existsSync('/usr/bin/taskset') ? ['/usr/bin/taskset', '-c', core] : []

const file = (name: string): string => join(import.meta.dirname, name)

/** Starts a server that listens on `PORT`. */
export const startServer = async (
  entry: string,
  env: Readonly<Record<string, string>>,
): Promise<Server> => {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const [program = process.execPath, ...args] = [
    ...pinned(SERVER_CORE),
    ...[process.execPath, '--expose-gc', '--import', file('collect-on-signal.ts'), file(entry)],
  ]
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), ...env },
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  // What it logs is read, so that its pipe never fills, and dropped.
  child.stdout.resume()
  await listening(child, port)
  const stat = (name: string): string => readFileSync(`/proc/${child.pid}/${name}`, 'utf8')
  return {
    url: `http://127.0.0.1:${port}`,
    cpuMs: () => {
      // Behind the program's name, which may hold anything: fields 14 and 15 of proc(5).
      const fields = stat('stat').split(') ')[1]?.split(' ') ?? []
      return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_S
    },
    residentBytes: async () => {
      child.kill('SIGWINCH')
      await delay(COLLECTED_MS)
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(stat('status'))?.[1]) * 1_024
    },
    end: async () => {
      child.kill('SIGKILL')
      await closed
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** A port that was free a moment ago: a gateway that logs nothing does not say which one it took. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const listening = async (child: ChildProcess, port: number): Promise<void> => {
  for (;;) {
    if (child.exitCode !== null) throw new Error('a server did not start')
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

/** Starts what makes the load; it speaks by messages. */
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

/** The next message of this form. */
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
