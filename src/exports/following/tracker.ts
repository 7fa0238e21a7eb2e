import { performance } from 'node:perf_hooks'
import type { ExportRef, Kept } from '../export.ts'
import type { Look, Observer, Turn } from '../ports.ts'
import type { Claim, Schedule } from '../schedule.ts'
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
   * How many polls may wait in line at once: as many as may leave together. The other due exports
   * stay in the schedule, which gives out the most urgent first, and where another replica can
   * claim them.
   */
  readonly places: number
  /**
   * Milliseconds after which a poll in line is as urgent as a caller, however long its own interval
   * is. Without this bound, the poll of an export that nobody watches would hold its place in line
   * for a minute while callers keep lemlist busy.
   */
  readonly longestTurnMs: number
  readonly now?: () => number
}

/** Other replicas may make exports due earlier, so the tracker asks at least this often. */
const LONGEST_REST_MS = 1_000

/** Uses one timer for all exports. It rests until the next is due, or until the line has room. */
export const createTracker = (options: TrackerOptions): Tracker => {
  const { schedule, looker, follower, alarm, observer, places, now = Date.now } = options
  let running = false
  let standing = 0

  const poll = async (claim: Claim): Promise<void> => {
    // A poll is due one interval from now. Callers are due at once, so they go first, but they
    // cannot hold the poll back for ever.
    const due = performance.now() + Math.min(claim.intervalMs, options.longestTurnMs)
    const { flight } = looker.look(claim.ref, { due, giveUpAt: Number.POSITIVE_INFINITY })
    standing += 1
    void flight.look.started.then(() => {
      standing -= 1
      alarm.set(now())
    })
    await flight.answer.then(
      (kept) => follower.settle(claim, kept),
      // A failure while the gateway stops says nothing about lemlist.
      (error) => (running ? follower.fail(claim, error) : follower.giveBack(claim)),
    )
  }

  /** Claims what is due. Returns the milliseconds after which to ask the schedule again. */
  const claimDue = async (): Promise<number> => {
    const room = places - standing
    if (room <= 0) return LONGEST_REST_MS
    const { claims, nextDueAt } = await schedule.claim(now(), room)
    for (const claim of claims) poll(claim).catch((error) => observer.failed('poll', error))
    return standing >= places ? LONGEST_REST_MS : (nextDueAt ?? Number.POSITIVE_INFINITY) - now()
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
