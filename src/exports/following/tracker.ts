import { performance } from 'node:perf_hooks'
import type { ExportRef, Kept } from '../export.ts'
import type { Look, Observer, Turn } from '../ports.ts'
import type { Claim, Schedule } from '../schedule.ts'
import type { Alarm } from './alarm.ts'
import type { Follower } from './follower.ts'

/** The shared poll: claims the exports that are due and looks at them, each on one replica only. */
export interface Tracker {
  start(): void
  /** Claims nothing more. Looks under way go on. */
  stop(): void
}

/** What makes one look for all who want it. */
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

/** Other replicas make exports due earlier and do not tell this one. */
const LONGEST_REST_MS = 1_000

/** One timer for all exports: it rests until the next is due, or until there is room in line. */
export const createTracker = (options: TrackerOptions): Tracker => {
  const { schedule, looker, follower, alarm, observer, places, now = Date.now } = options
  let running = false
  let standing = 0

  const poll = async (claim: Claim): Promise<void> => {
    // Due an interval from now: callers, who are due at once, go first, but not for ever.
    const due = performance.now() + Math.min(claim.intervalMs, options.longestTurnMs)
    const { flight } = looker.look(claim.ref, { due, giveUpAt: Number.POSITIVE_INFINITY })
    standing += 1
    void flight.look.started.then(() => {
      standing -= 1
      alarm.set(now())
    })
    await flight.answer.then(
      (kept) => follower.settle(claim, kept),
      // What fails while the gateway stops says nothing about lemlist.
      (error) => (running ? follower.fail(claim, error) : follower.giveBack(claim)),
    )
  }

  /** Milliseconds until the schedule is worth asking again. */
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
