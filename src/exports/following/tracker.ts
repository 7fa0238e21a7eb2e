import { performance } from 'node:perf_hooks'
import type { ExportRef, Kept } from '../export.ts'
import type { Look, Observer, Turn } from '../ports.ts'
import {
  CALL_CLASSES,
  type CallClass,
  type Claim,
  type PerClass,
  type Schedule,
} from '../schedule.ts'
import { wasTurnedAway } from '../turned-away.ts'
import type { Alarm } from './alarm.ts'
import type { Follower } from './follower.ts'

/** The shared poll: claims the due exports, each on one replica only, and looks at them. */
export interface Tracker {
  start(): void
  /** Claims no more exports. Looks that are under way go on. */
  stop(): void
}

/** Makes one look at lemlist for everybody who wants the same export. */
interface LookMaker {
  look(
    ref: ExportRef,
    turn: Turn,
  ): { readonly flight: { readonly look: Pick<Look, 'started'>; readonly answer: Promise<Kept> } }
}

interface TrackerOptions {
  readonly schedule: Pick<Schedule, 'claim'>
  readonly looker: LookMaker
  readonly follower: Pick<Follower, 'settle' | 'fail' | 'giveBack'>
  readonly alarm: Alarm
  readonly observer: Observer
  /**
   * Returns how long no call may leave, because lemlist asked for a pause, ms. 0 without a pause.
   */
  readonly pausedMs: () => Promise<number>
  /** Whether somebody watches the export on this replica. */
  readonly isWatched: (ref: ExportRef) => boolean
  /**
   * How many polls of each class may wait in line at once: as many as may leave together. The other
   * due exports stay in the schedule, which gives out first what was looked at longest ago, and where
   * another replica can claim them.
   */
  readonly places: number
  /**
   * How long a poll may wait in line, milliseconds. Its claim must still hold when the call that
   * follows is over.
   */
  readonly standMs: number
  /**
   * Milliseconds after its due time at which a poll in line is as urgent as a caller at the latest.
   * Without this bound callers could hold it back for its whole interval, which is up to a minute
   * after failed looks.
   */
  readonly longestTurnMs: number
  /** Runs a poll as the beginning of a trace. Default: it just runs. */
  readonly inSpan?: ((claim: Claim, poll: () => Promise<void>) => Promise<void>) | undefined
  readonly now?: () => number
}

/** Other replicas may make exports due earlier, so the tracker asks at least this often. */
const LONGEST_REST_MS = 1_000

/**
 * When the waiting line is full, it turns a poll away at once, and the export is due again at once.
 * Without a rest the tracker would claim it again and again, and the process would do nothing else.
 */
const TURNED_AWAY_REST_MS = 100

/** Uses one timer for all exports. It rests until the next is due, or until the line has room. */
export const createTracker = (options: TrackerOptions): Tracker => {
  const { schedule, looker, follower, alarm, observer, places, now = Date.now } = options
  const { inSpan = (_claim, run) => run() } = options
  const standing: Record<CallClass, number> = { watched: 0, idle: 0, unconfirmed: 0 }
  let running = false
  /** Monotonic milliseconds. The tracker claims nothing before. */
  let restUntil = Number.NEGATIVE_INFINITY

  /**
   * Returns the turn of a poll. In line a poll is due one interval after its due time. Callers are
   * due at once, so they go first. A poll that is later than that is due now, so it goes before all
   * callers that come after it.
   */
  const turnOf = ({ ref, dueAt, intervalMs, callClass }: Claim): Turn => {
    const aheadMs = dueAt + Math.min(intervalMs, options.longestTurnMs) - now()
    const wasWatched = options.isWatched(ref)
    const giveUpAt = performance.now() + options.standMs
    return {
      ...{ callClass, giveUpAt, latestAt: giveUpAt },
      due: performance.now() + Math.min(options.longestTurnMs, Math.max(0, aheadMs)),
      // The watchers may be gone when there is a slot, and then no call is needed. When only
      // another replica has watchers, the call is always made, because this replica cannot ask that
      // one.
      ...(callClass === 'unconfirmed' && wasWatched && { isWanted: () => options.isWatched(ref) }),
    }
  }

  const poll = async (claim: Claim): Promise<void> => {
    const { flight } = looker.look(claim.ref, turnOf(claim))
    standing[claim.callClass] += 1
    void flight.look.started.then(() => {
      observer.pollLag?.(now() - claim.dueAt)
      standing[claim.callClass] -= 1
      alarm.set(now())
    })
    await flight.answer.then(
      (kept) => follower.settle(claim, kept),
      // A failure while the gateway stops, or before the call was sent, says nothing about lemlist.
      (error) => {
        if (running && !wasTurnedAway(error)) return follower.fail(claim, error)
        restUntil = performance.now() + TURNED_AWAY_REST_MS
        return follower.giveBack(claim)
      },
    )
  }

  const roomNow = (): PerClass => ({
    watched: places - standing.watched,
    idle: places - standing.idle,
    unconfirmed: places - standing.unconfirmed,
  })

  /** Claims what is due. Returns the milliseconds after which to ask the schedule again. */
  const claimDue = async (): Promise<number> => {
    const room = roomNow()
    if (!CALL_CLASSES.some((one) => room[one] > 0)) return LONGEST_REST_MS
    if (restUntil > performance.now()) return restUntil - performance.now()
    const pausedMs = await options.pausedMs()
    if (pausedMs > 0) return pausedMs
    const { claims, nextDueAt } = await schedule.claim(now(), room)
    for (const claim of claims) {
      inSpan(claim, () => poll(claim)).catch((error) => observer.failed('poll', error))
    }
    return (nextDueAt ?? Number.POSITIVE_INFINITY) - now()
  }

  const run = async (): Promise<void> => {
    while (running) {
      alarm.clear()
      let restMs = LONGEST_REST_MS
      try {
        restMs = await claimDue()
      } catch (error) {
        observer.storeFailed('schedule.claim', error)
      }
      await alarm.rest(Math.min(restMs, LONGEST_REST_MS))
    }
  }

  return {
    start: () => {
      if (running) return
      running = true
      void run()
    },
    stop: () => {
      running = false
      alarm.set(now())
    },
  }
}
