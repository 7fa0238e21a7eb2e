import { Problem } from '../../problems.ts'
import { isUnknown, timedOut } from '../ends.ts'
import { type ExportRef, isFinal, isPending, type Kept } from '../export.ts'
import type { Observer, Results, Updates } from '../ports.ts'
import type { Claim, Origin, Plan, Schedule, Tracking } from '../schedule.ts'
import type { Alarm } from './alarm.ts'
import { nextLook, type PollIntervals } from './poll-policy.ts'

/** Decides after each look whether and when the gateway looks at the export again. */
export interface Follower {
  /** Called after a caller's look. The look counts like a poll, so the next poll moves back. */
  note(ref: ExportRef, kept: Kept): Promise<void>
  /**
   * Called when somebody watches an export about which lemlist has not answered yet. From then on
   * the gateway asks lemlist until it answers.
   */
  adopt(ref: ExportRef): Promise<void>
  /** Called when the export was just started through the gateway. */
  begin(ref: ExportRef): Promise<void>
  /** Called when somebody begins to watch a tracked export. Its next look moves forward. */
  hasten(ref: ExportRef, lately: Lately): Promise<void>
  /**
   * Says that this replica still watches these exports. With `dueBy`, epoch milliseconds, each of
   * them is looked at by then at the latest.
   */
  renew(refs: readonly ExportRef[], dueBy?: number): Promise<void>
  isTracked(ref: ExportRef): Promise<boolean>
  /** Says what it means that lemlist does not know the export at this look. */
  standing(ref: ExportRef): Promise<Standing>
  /** Called after a poll that lemlist answered with a status. */
  settle(claim: Claim, kept: Kept): Promise<void>
  /** Called after a poll that failed. */
  fail(claim: Claim, error: unknown): Promise<void>
  /** Gives a claim back without a look. The export is due as before, for any replica to claim. */
  giveBack(claim: Claim): Promise<void>
}

/**
 * `followed`: the export was seen pending or started through the gateway, so it has failed, unless
 * lemlist's answer is a hiccup. `young`: it was just started through the gateway, and lemlist may
 * not know it yet. `none`: the gateway has no sign that the export exists.
 */
export type Standing = 'followed' | 'young' | 'none'

/** When an export was first seen and last looked at, epoch milliseconds. */
interface Lately {
  readonly firstSeenAt: number
  readonly observedAt: number
}

export interface FollowerOptions {
  readonly schedule: Schedule
  readonly results: Results
  readonly updates: Updates
  readonly observer: Observer
  readonly intervals: PollIntervals
  /** Whether somebody watches the export on this replica. */
  readonly isWatched: (ref: ExportRef) => boolean
  /** Rings when an export is due. */
  readonly alarm: Pick<Alarm, 'set'>
  /** How long one renewal is valid, milliseconds: two heartbeats. */
  readonly watchedForMs: number
  /** How long lemlist keeps the status of an export: 2 h, in milliseconds. */
  readonly exportTtlMs: number
  /** How long the store remembers that an export timed out: lemlist's 24 h, in milliseconds. */
  readonly fileTtlMs: number
  readonly now?: () => number
  /** Returns a number from 0 up to, but not including, 1. */
  readonly random?: () => number
}

/** One 404 may be a hiccup of lemlist. Only this many in a row mean that the export timed out. */
const MISSES_TO_BE_SURE = 3
/** For the first minute after a start, lemlist may not know the export yet. */
const START_GRACE_MS = 60_000
/** With lemlist's 2 h this makes 2 h 15 min. After that an unwatched export is worth no call. */
const FOLLOWED_PART_OF_TTL = 1.125

export const createFollower = (options: FollowerOptions): Follower => {
  const { schedule, results, updates, observer, intervals, isWatched, alarm } = options
  const { now = Date.now, random = Math.random } = options

  /** The gateway goes on when its store fails. It looks again at what the store did not take. */
  const attempt = async <T>(operation: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work
    } catch (error) {
      observer.storeFailed(operation, error)
      return undefined
    }
  }

  const planned = (
    { firstSeenAt, watched }: { readonly firstSeenAt: number; readonly watched: boolean },
    { origin, pending = true, misses = 0, failures = 0 }: Looked,
  ): Plan => {
    const look = { now: now(), firstSeenAt, watched, pending, failures, random: random() }
    return { ...nextLook(look, intervals), origin, misses, failures }
  }

  const track = async (ref: ExportRef, firstSeenAt: number, plan: Plan): Promise<void> => {
    const watchedUntil = isWatched(ref) ? now() + options.watchedForMs : 0
    const tracking = { ref, firstSeenAt, watchedUntil, ...plan }
    await attempt('schedule.track', schedule.track(tracking))
    alarm.set(plan.dueAt)
  }

  /**
   * Asks the schedule, because another replica may have seen the export long before this one, and
   * may have watchers when this one has none.
   */
  const known = async (ref: ExportRef, seenHereAt: number) => {
    const tracking = await attempt('schedule.find', schedule.find(ref))
    return {
      firstSeenAt: Math.min(seenHereAt, tracking?.firstSeenAt ?? seenHereAt),
      watched: isWatched(ref) || (tracking !== undefined && tracking.watchedUntil > now()),
    }
  }

  const again = async (claim: Claim, looked: Looked): Promise<void> => {
    const watched = isWatchedSomewhere(claim)
    const old = now() - claim.firstSeenAt > options.exportTtlMs * FOLLOWED_PART_OF_TTL
    if (!watched && (looked.origin === 'watched' || old)) return untrack(claim)
    const plan = planned({ firstSeenAt: claim.firstSeenAt, watched }, looked)
    await attempt('schedule.reschedule', schedule.reschedule(claim, plan))
    alarm.set(plan.dueAt)
  }

  const isWatchedSomewhere = ({ ref, watchedUntil }: Claim): boolean =>
    isWatched(ref) || watchedUntil > now()

  const isJustStarted = ({ origin, firstSeenAt }: Tracking): boolean =>
    origin === 'started' && now() - firstSeenAt < START_GRACE_MS

  const untrack = async ({ ref, token }: { ref: ExportRef; token?: string }): Promise<void> => {
    await attempt('schedule.untrack', schedule.untrack(ref, token))
  }

  const publish = async (...update: Parameters<Updates['publish']>): Promise<void> => {
    await attempt('updates.publish', updates.publish(...update))
  }

  const end = async (claim: Claim, { code, message }: Problem): Promise<void> => {
    await publish(claim.ref, { kind: 'gone', code, detail: message })
    await untrack(claim)
  }

  const miss = async (claim: Claim): Promise<void> => {
    const { ref, origin } = claim
    const misses = isJustStarted(claim) ? 0 : claim.misses + 1
    if (misses < MISSES_TO_BE_SURE) return again(claim, { origin, misses })
    const record = { kind: 'timed-out', forgetAt: now() + options.fileTtlMs } as const
    const kept = await attempt('results.put', results.put(ref, record))
    if (kept?.kind !== 'final') return end(claim, timedOut())
    // Another replica has seen a final status of the export, and a final status wins.
    await publish(ref, { kind: 'status', snapshot: kept.snapshot })
    await untrack({ ref })
  }

  return {
    note: async (ref, { snapshot, keptUntil, firstSeenAt }) => {
      if (isFinal(snapshot) && keptUntil !== undefined) return untrack({ ref })
      const seen = await known(ref, firstSeenAt)
      const looked = { origin: 'pending', pending: isPending(snapshot) } as const
      await track(ref, seen.firstSeenAt, planned(seen, looked))
    },
    adopt: async (ref) => {
      const seen = { firstSeenAt: now(), watched: true }
      await track(ref, seen.firstSeenAt, planned(seen, { origin: 'watched', failures: 1 }))
    },
    begin: async (ref) => {
      const seen = { firstSeenAt: now(), watched: isWatched(ref) }
      await track(ref, seen.firstSeenAt, planned(seen, { origin: 'started' }))
    },
    hasten: async (ref, { firstSeenAt: seenHereAt, observedAt }) => {
      const { firstSeenAt } = await known(ref, seenHereAt)
      const look = { now: observedAt, firstSeenAt, watched: true, pending: true, failures: 0 }
      const { dueAt } = nextLook({ ...look, random: random() }, intervals)
      const watchedUntil = now() + options.watchedForMs
      await attempt('schedule.watch', schedule.watch([ref], watchedUntil, dueAt))
      alarm.set(dueAt)
    },
    renew: async (refs, dueBy) => {
      await attempt('schedule.watch', schedule.watch(refs, now() + options.watchedForMs, dueBy))
      if (dueBy !== undefined) alarm.set(dueBy)
    },
    isTracked: async (ref) => (await attempt('schedule.find', schedule.find(ref))) !== undefined,
    standing: async (ref) => {
      const tracking = await attempt('schedule.find', schedule.find(ref))
      if (tracking === undefined || tracking.origin === 'watched') return 'none'
      return isJustStarted(tracking) ? 'young' : 'followed'
    },
    settle: async (claim, { snapshot, keptUntil }) => {
      if (!isFinal(snapshot)) {
        await again(claim, { origin: 'pending', pending: isPending(snapshot) })
      } else if (keptUntil !== undefined) {
        await untrack({ ref: claim.ref })
      } else {
        // The store did not keep the final status. The gateway looks again, or its link is lost.
        await again(claim, { origin: 'pending', failures: claim.failures + 1 })
      }
    },
    giveBack: async (claim) => {
      await attempt('schedule.reschedule', schedule.reschedule(claim, claim))
    },
    fail: async (claim, error) => {
      const problem = error instanceof Problem ? error : bug(error)
      if (problem.code === 'internal') observer.failed('poll', error)
      const { ref, origin, misses, failures } = claim
      const neverKnown = origin === 'watched' && problem.status === 404
      if (neverKnown || problem.code === 'export-expired') return end(claim, problem)
      if (isUnknown(problem)) return miss(claim)
      await publish(ref, { kind: 'trouble', code: problem.code, detail: problem.message })
      await again(claim, { origin, misses, failures: failures + 1 })
    },
  }
}

interface Looked {
  readonly origin: Origin
  /** Whether lemlist said `pending`. Default true. */
  readonly pending?: boolean
  readonly misses?: number
  readonly failures?: number
}

const bug = (cause: unknown): Problem =>
  new Problem('internal', 'Something went wrong in the gateway.', { cause })
