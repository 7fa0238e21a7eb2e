import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { Peer } from './peers/programs.ts'
import { median, message, startLoad } from './processes.ts'

/**
 * Measures one side of `streams`: the first streams of a process, their events, and the same number of
 * streams again and again, each time after the others have left.
 */

/** A server with streams, and how it is made to tell them of an event. */
export interface Pushing extends Pick<Peer, 'url' | 'cpuMs' | 'residentBytes' | 'end'> {
  readonly path: string
  /** Header lines of each stream, each with its end. */
  readonly headers: string
  /**
   * Makes the server tell all streams of this progress. Resolves to the time at which the news went
   * to it, milliseconds of `process.hrtime`.
   */
  push(progress: number): Promise<number>
}

interface Turn {
  readonly streams: number
  readonly pushes: number
  /** How long the idle streams are watched, milliseconds; 0 for a server without heartbeats. */
  readonly idleMs: number
}

export const PROGRESS_TOTAL = 1_000
const KIB = 1_024
const WARM_UP = 100
/** So long after the clients have left, a server has let go of their streams, milliseconds. */
const LEFT_MS = 3_000
/**
 * How often the streams come again. V8 compiles hot functions in the first waves, on the core that serves, and
 * a server that does more compiles more. Only the later waves are counted.
 */
const WAVES = { all: 7, counted: 4 } as const
const lost = z.object({ isLost: z.literal(true) })
const opened = z.object({ openedMs: z.number() }).or(lost)
const ready = z.object({ isReady: z.literal(true) }).or(lost)
const told = z.object({ first: z.string(), last: z.string() }).or(lost)
/** What only the event with this progress says. */
const markerOf = (progress: number): string => `"progress":${progress},`

/** The columns of docs/performance.md, in this order. */
export const COLUMNS = [
  { name: 'KiB a stream', digits: 1 },
  { name: 'KiB after 10 events', digits: 1, isAlone: true },
  { name: 'opened a second, fresh process', digits: 0 },
  { name: 'opened a second, compiled', digits: 0 },
  { name: 'last client has an event, ms', digits: 0 },
  { name: 'after the first client, ms', digits: 0, isAlone: true },
  { name: 'ms of CPU an event', digits: 0, isAlone: true },
  { name: 'heartbeats, % of a core', digits: 1, isAlone: true },
] as const

/** Starts the process that holds the clients. */
const startClients = ({ url, path, headers }: Pushing) => {
  const { child, end } = startLoad('streams-load.ts')
  const heard = async <T extends object>(form: z.ZodType<T | z.infer<typeof lost>>): Promise<T> => {
    const said = await message(child, form)
    if ('isLost' in said) throw new Error('a stream was lost')
    return said
  }
  return {
    /** @param progress what the first event of each stream says */
    open: async (streams: number, progress: number): Promise<number> => {
      child.send({ url: url + path, streams, headers, marker: markerOf(progress) })
      return (await heard(opened)).openedMs
    },
    expect: async (progress: number): Promise<void> => {
      child.send({ marker: markerOf(progress) })
      await heard(ready)
    },
    told: () => heard(told),
    end,
  }
}

/** Opens a few streams and leaves, so that what a first stream costs is not counted. */
const warmUp = async (server: Pushing): Promise<void> => {
  const clients = startClients(server)
  await clients.open(WARM_UP, 0)
  clients.end()
}

export const measureTurn = async (
  server: Pushing,
  { streams, pushes, idleMs }: Turn,
): Promise<number[]> => {
  await warmUp(server)
  let clients = startClients(server)
  try {
    const before = await server.residentBytes()
    const openedMs = await clients.open(streams, 0)
    const kibibytes = async (): Promise<number> =>
      ((await server.residentBytes()) - before) / streams / KIB
    const first = await kibibytes()

    const idleFrom = server.cpuMs()
    await delay(idleMs)
    const idle = ((server.cpuMs() - idleFrom) / idleMs) * 100

    const spans: number[] = []
    const delays: number[] = []
    let cpuMs = 0
    for (let progress = 1; progress <= pushes; progress += 1) {
      await clients.expect(progress)
      const cpuFrom = server.cpuMs()
      const [at, said] = await Promise.all([server.push(progress), clients.told()])
      cpuMs += server.cpuMs() - cpuFrom
      spans.push((Number(said.last) - Number(said.first)) / 1e6)
      delays.push(Number(said.last) / 1e6 - at)
    }
    const events = [median(delays), median(spans), cpuMs / pushes]
    const after = await kibibytes()
    const waves: number[] = []
    for (let wave = 0; wave < WAVES.all; wave += 1) {
      clients.end()
      await delay(LEFT_MS)
      clients = startClients(server)
      waves.push(await clients.open(streams, pushes))
    }
    const opened = [openedMs, median(waves.slice(-WAVES.counted))].map(
      (ms) => (streams * 1_000) / ms,
    )
    return [first, after, ...opened, ...events, idleMs === 0 ? Number.NaN : idle]
  } finally {
    clients.end()
  }
}
