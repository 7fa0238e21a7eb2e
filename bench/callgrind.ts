import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'undici'
import { unpinned } from './processes.ts'
import type { Server } from './server.ts'

/**
 * Counts the instructions that a server executes for a request, with Callgrind (Debian's package valgrind). The
 * kernel's are not counted.
 */

const CONNECTIONS = 16
/**
 * V8 compiles hot functions one after the other, and some of them several times. After 15 000 requests it is
 * still at it, and the count differs by half from run to run.
 */
const WARM_UP_REQUESTS = 60_000
const REQUESTS = 4_000
/** The first thread of the process runs the event loop. The others compile and collect garbage. */
const EVENT_LOOP = /^out\.\d+-01$/
const SUMMARY = /^summary: (\d+)/m

export const hasCallgrind = (): boolean => existsSync('/usr/bin/callgrind_control')

/** A place for the counts of one server. */
export const createCounter = () => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-callgrind-'))
  return {
    /** What the server must be started under. */
    under: [
      ...[...unpinned(), 'valgrind', '--quiet', '--tool=callgrind', '--smc-check=all-non-file'],
      ...['--separate-threads=yes', `--callgrind-out-file=${join(directory, 'out')}`],
    ],
    /** Warms the server up and counts. Resolves to the instructions of one request. */
    count: async (
      { url, pid }: Pick<Server, 'url' | 'pid'>,
      path: string,
      headers: readonly string[],
    ): Promise<number> => {
      const pool = new Pool(url, { connections: CONNECTIONS })
      try {
        // Before anything is compiled, a request may take longer than the gateway waits for one.
        await read(pool, path, headers, WARM_UP_REQUESTS)
        control('--zero', pid)
        const failed = await read(pool, path, headers, REQUESTS)
        if (failed > 0) throw new Error(`${failed} answers were not 200`)
        control('--dump', pid)
        return latest(directory) / REQUESTS
      } finally {
        await pool.destroy()
      }
    },
    close: (): void => rmSync(directory, { recursive: true }),
  }
}

const control = (order: '--zero' | '--dump', pid: number): void =>
  void execFileSync('callgrind_control', [order, String(pid)], { stdio: 'ignore' })

/** Resolves to the number of answers that were not 200. */
const read = async (
  pool: Pool,
  path: string,
  headers: readonly string[],
  count: number,
): Promise<number> => {
  let failed = 0
  let left = count
  const readOnAndOn = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const answer = await pool.request({ method: 'GET', path, headers: [...headers] })
      await answer.body.dump()
      if (answer.statusCode !== 200) failed += 1
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, readOnAndOn))
  return failed
}

/** The count of the last dump. */
const latest = (directory: string): number => {
  const names = readdirSync(directory)
    .filter((name) => EVENT_LOOP.test(name))
    .toSorted((a, b) => Number(b.split(/\D+/)[1]) - Number(a.split(/\D+/)[1]))
  const [, instructions] =
    SUMMARY.exec(readFileSync(join(directory, names[0] ?? ''), 'latin1')) ?? []
  if (instructions === undefined) throw new Error('Callgrind has counted nothing')
  return Number(instructions)
}
