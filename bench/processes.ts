import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { z } from 'zod'

/**
 * What the processes of a benchmark need: a core of their own where `taskset` is installed, a port, and a
 * look at their time and memory.
 */

const SERVER_CORE = '0'
const LOAD_CORE = '1'
/** Clock ticks in a second: what `getconf CLK_TCK` says on every Linux that Node runs on. */
const TICKS_PER_S = 100
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

export const file = (name: string): string => join(import.meta.dirname, name)

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
