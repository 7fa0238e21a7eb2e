import type { ExportRef } from '../../../src/exports/export.ts'
import type { Origin, Schedule, Tracking } from '../../../src/exports/schedule.ts'
import type { Topic } from '../../../src/exports/watching/topic.ts'
import type { Watch } from '../../../src/exports/watching/watch.ts'
import type { Random } from '../random.ts'
import { durationMs } from './duration.ts'
import type { VirtualLemlist } from './virtual-lemlist.ts'

/** The exports of a simulation and who watches them. */
export interface Population {
  readonly simulated: ReadonlyMap<string, Simulated>
  /**
   * Starts so many exports and watches them. When the watcher of one is told its end, a new export
   * replaces it.
   */
  watch(count: number): Promise<void>
  /**
   * Makes so many pending exports that nobody watches. When a look finds the end of one, a new export
   * replaces it.
   */
  leaveAlone(count: number): Promise<void>
  /**
   * Watches so many ids that lemlist does not know, rounded up to full streams. The returned function
   * closes the streams.
   */
  watchUnknown(count: number): () => void
  /** Tells the population that a look has found an export done. */
  found(exportId: string): void
}

/** An export of the simulation. Times are virtual epoch milliseconds. */
export interface Simulated {
  readonly exportId: string
  readonly kind: 'watched' | 'idle'
  readonly startedAt: number
  readonly doneAt: number
  /** When its watcher was told that it is done. For an idle export: when a look found that. */
  toldAt?: number
}

interface PopulationOptions {
  readonly account: string
  readonly lemlist: Pick<VirtualLemlist, 'add'>
  readonly schedule: Pick<Schedule, 'track'>
  /** The watch of each replica. The streams are spread over them. */
  readonly watches: readonly Watch[]
  readonly random: Random
  readonly medianMs: number
  readonly idleMedianMs: number
  readonly idleIntervalMs: number
  readonly failed: (error: unknown) => void
}

/** A many-exports stream takes at most so many exports. */
const PER_STREAM = 100

export const createPopulation = (options: PopulationOptions): Population => {
  const { account, lemlist, schedule, watches, random, medianMs, idleMedianMs, failed } = options
  const simulated = new Map<string, Simulated>()
  let number = 0

  const nextRef = (prefix: string): ExportRef => {
    number += 1
    return { account, campaignId: 'cam_Simulated', exportId: `axp_${prefix}${number}` }
  }

  let streams = 0
  /** Chooses a replica for the next stream, each in its turn. */
  const nextWatch = (): Watch => {
    const watch = watches[streams % watches.length]
    streams += 1
    if (watch === undefined) throw new Error('a simulation needs a replica')
    return watch
  }

  const begin = ({ exportId }: ExportRef, kind: Simulated['kind'], median: number): Simulated => {
    const startedAt = Date.now()
    const doneAt = startedAt + durationMs(median, random)
    const one = { exportId, kind, startedAt, doneAt }
    simulated.set(exportId, one)
    lemlist.add(exportId, doneAt)
    return one
  }

  const trackingOf = (ref: ExportRef, origin: Origin, aheadMs: number): Tracking => ({
    ...{ ref, origin, firstSeenAt: Date.now(), lookedAt: Date.now(), dueAt: Date.now() + aheadMs },
    ...{ intervalMs: options.idleIntervalMs, misses: 0, failures: 0, agedLooks: 0 },
  })

  /** Tracks so many exports as started through the gateway, and watches them on one stream. */
  const openStream = async (count: number): Promise<void> => {
    const watch = nextWatch()
    const refs = Array.from({ length: count }, () => nextRef('W'))
    await schedule.track(refs.map((ref) => trackingOf(ref, 'started', options.idleIntervalMs)))
    for (const ref of refs) {
      const one = begin(ref, 'watched', medianMs)
      const subscriber = {
        changed: ({ snapshot }: Topic) => {
          if (snapshot?.state !== 'done') return
          one.toldAt = Date.now()
          watch.leave(ref, subscriber)
          openStream(1).catch(failed)
        },
      }
      watch.join(ref, subscriber)
    }
    await watch.firstOfMany(refs)
  }

  const track = async (count: number): Promise<void> => {
    const trackings = Array.from({ length: count }, () => {
      const ref = nextRef('I')
      begin(ref, 'idle', idleMedianMs)
      return trackingOf(ref, 'pending', random.between(0, options.idleIntervalMs))
    })
    await schedule.track(trackings)
  }

  return {
    simulated,
    watch: async (count) => {
      for (let left = count; left > 0; left -= PER_STREAM) {
        await openStream(Math.min(left, PER_STREAM))
      }
    },
    leaveAlone: track,
    watchUnknown: (count) => {
      const subscriber = { changed: () => {} }
      const streams = Array.from({ length: Math.ceil(count / PER_STREAM) }, () => ({
        watch: nextWatch(),
        refs: Array.from({ length: PER_STREAM }, () => nextRef('U')),
      }))
      for (const { watch, refs } of streams) {
        for (const ref of refs) watch.join(ref, subscriber)
        watch.firstOfMany(refs).catch(failed)
      }
      return () => {
        for (const { watch, refs } of streams) for (const ref of refs) watch.leave(ref, subscriber)
      }
    },
    found: (exportId) => {
      const one = simulated.get(exportId)
      if (one?.kind !== 'idle' || one.toldAt !== undefined) return
      one.toldAt = Date.now()
      track(1).catch(failed)
    },
  }
}
