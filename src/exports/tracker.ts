import { performance } from 'node:perf_hooks'
import type { Follower } from './follower.ts'
import type { Looker } from './looker.ts'
import type { Observer } from './ports.ts'
import type { Claim, Schedule } from './schedule.ts'

/** The shared poll: claims the exports that are due and looks at them, each on one replica only. */
export interface Tracker {
  start(): void
  /** Claims nothing more. Looks under way go on. */
  stop(): void
  /** Something is due at that time, epoch milliseconds: perhaps sooner than all else. */
  onDue(dueAt: number): void
}

interface TrackerOptions {
  readonly schedule: Schedule
  readonly looker: Looker
  readonly follower: Pick<Follower, 'settle' | 'fail' | 'giveBack'>
  readonly observer: Observer
  /**
   * Polls that stand in line at once: as many as may leave together. The backlog stays in the schedule,
   * where the most urgent is picked, and where another replica finds it.
   */
  readonly places: number
  /**
   * Milliseconds after which a poll in line is as urgent as a caller, however long its own interval is:
   * one that nobody watches would else hold its place for a minute while callers keep lemlist busy.
   */
  readonly longestTurnMs: number
  readonly now?: () => number
}

/** Other replicas bring due times forward without a word to us. */
const LONGEST_REST_MS = 1_000

/** One timer for all exports: it rests until the next is due, or until there is room in line. */
export const createTracker = (options: TrackerOptions): Tracker => {
  const { schedule, looker, follower, observer, places, now = Date.now } = options
  let running = false
  let standing = 0
  /** When the schedule is asked next: the earliest due time that was heard of since it was asked last. */
  let soonest = Number.POSITIVE_INFINITY
  let wake: () => void = () => {}

  /** While the schedule is being asked nobody rests: then the time alone makes the next rest short. */
  const onDue = (dueAt: number): void => {
    if (dueAt >= soonest) return
    soonest = dueAt
    wake()
  }

  const poll = async (claim: Claim): Promise<void> => {
    // Due an interval from now: callers, who are due at once, go first, but not for ever.
    const due = performance.now() + Math.min(claim.intervalMs, options.longestTurnMs)
    const { flight } = looker.look(claim.ref, { due, giveUpAt: Number.POSITIVE_INFINITY })
    standing += 1
    void flight.look.started.then(() => {
      standing -= 1
      onDue(now())
    })
    await flight.answer.then(
      (kept) => follower.settle(claim, kept),
      // What fails while we stop says nothing about lemlist.
      (error) => (running ? follower.fail(claim, error) : follower.giveBack(claim)),
    )
  }

  const claimDue = async (): Promise<number> => {
    const room = places - standing
    if (room <= 0) return LONGEST_REST_MS
    const { claims, nextDueAt } = await schedule.claim(now(), room)
    for (const claim of claims) poll(claim).catch((error) => observer.failed('poll', error))
    return standing >= places ? LONGEST_REST_MS : (nextDueAt ?? Number.POSITIVE_INFINITY) - now()
  }

  const rest = async (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    soonest = Math.min(soonest, now() + Math.min(ms, LONGEST_REST_MS))
    const alarm = setTimeout(resolve, Math.max(1, Math.ceil(soonest - now())))
    await promise
    clearTimeout(alarm)
  }

  const run = async (): Promise<void> => {
    while (running) {
      soonest = Number.POSITIVE_INFINITY
      let restMs = LONGEST_REST_MS
      try {
        restMs = await claimDue()
      } catch (error) {
        observer.storeFailed('schedule.claim', error)
      }
      await rest(restMs)
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
      wake()
    },
    onDue,
  }
}
