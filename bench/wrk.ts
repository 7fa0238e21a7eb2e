import { spawn } from 'node:child_process'
import { pinnedLoad } from './processes.ts'

/** The load of wrk, a program in C (Debian's package of that name). */

interface Order {
  readonly url: string
  readonly connections: number
  readonly ms: number
  /** Header lines, each with its end. */
  readonly headers: string
}

interface Reads {
  readonly answers: number
  readonly bad: number
  readonly perSecond: number
}

/** Resolves to undefined when wrk is not installed. */
export const readsByWrk = async ({
  url,
  connections,
  ms,
  headers,
}: Order): Promise<Reads | undefined> => {
  const lines = headers.split('\r\n').filter((line) => line !== '')
  const options = ['-t', '1', '-c', `${connections}`, '-d', `${Math.ceil(ms / 1_000)}s`]
  const argv = ['wrk', ...options, ...lines.flatMap((line) => ['-H', line]), url]
  const [program = 'wrk', ...args] = [...pinnedLoad(), ...argv]
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  await new Promise((resolve) => child.once('close', resolve).once('error', resolve))
  const answers = Number(/(\d+) requests in/.exec(said)?.[1] ?? 0)
  if (answers === 0) return undefined
  const failed = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(said)
  const errors = failed?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(said)?.[1] ?? 0) + errors
  return { answers, bad, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1]) }
}
