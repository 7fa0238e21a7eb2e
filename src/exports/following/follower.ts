import { Problem } from '../../problems.ts'
import { isUnknown, timedOut } from '../ends.ts'
import { type ExportRef, isFinal, isPending, type Kept } from '../export.ts'
import type { Observer, Results, Updates } from '../ports.ts'
import type { Claim, Origin, Plan, Schedule, Tracking } from '../schedule.ts'
import type { Alarm } from './alarm.ts'
import { nextLook, type PollIntervals } from './poll-policy.ts'

/** Decides after each look whether an export is looked at again, and when. */
export interface Follower {
  /** After a caller's look, which counts like any poll: the next one moves back. */
  note(ref: ExportRef, kept: Kept): Promise<void>
  /** Somebody watches though lemlist has not answered yet: it is asked until it does. */
  adopt(ref: ExportRef): Promise<void>
  /** It was started through the gateway just now. */
  begin(ref: ExportRef): Promise<void>
  /** Somebody began to watch what was looked at lately: the next look comes forward. */
  hasten(ref: ExportRef, lately: Lately): Promise<void>
  /** Keeps exports watched, on behalf of this replica, for another while; looked at by then at the latest. */
  renew(refs: readonly ExportRef[], dueBy?: number): Promise<void>
  isTracked(ref: ExportRef): Promise<boolean>
  /** What it means when lemlist does not know the export at this look. */
  standing(ref: ExportRef): Promise<Standing>
  /** After a poll that was answered. */
  settle(claim: Claim, kept: Kept): Promise<void>
  /** After a poll that was not. */
  fail(claim: Claim, error: unknown): Promise<void>
  /** It was not looked at: it is due as it was, for whoever claims it next. */
  giveBack(claim: Claim): Promise<void>
}

/**
 * `followed`: it was seen pending or started here, so it has failed, unless this look is a hiccup.
 * `young`: it was started here just now and lemlist may not know it yet. `none`: it is unknown.
 */
export type Standing = 'followed' | 'young' | 'none'

/** The last look at an export, epoch milliseconds. */
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
  /** Whether somebody on this replica watches. */
  readonly isWatched: (ref: ExportRef) => boolean
  /** Rings when something is due. */
  readonly alarm: Pick<Alarm, 'set'>
  /** How long one renewal counts, milliseconds: two heartbeats. */
  readonly watchedForMs: number
  /** lemlist's 2 h, milliseconds. */
  readonly exportTtlMs: number
  /** How long a verdict is remembered: lemlist's 24 h, milliseconds. */
  readonly fileTtlMs: number
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

/** One 404 may be a hiccup of lemlist's. */
const MISSES_TO_BE_SURE = 3
/** What was started may be unknown to lemlist for a moment. */
const START_GRACE_MS = 60_000
/** An eighth more than lemlist's 2 h: what nobody watches is then not worth another call. */
const FOLLOWED_PART_OF_TTL = 1.125

export const createFollower = (options: FollowerOptions): Follower => {
  const { schedule, results, updates, observer, intervals, isWatched, alarm } = options
  const { now = Date.now, random = Math.random } = options

  /** Without its store the gateway goes on; what a store did not take is looked at again. */
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

  /** Another replica may have seen it long before this one did, and have watchers when this one has none. */
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
    // Another replica has seen its end all the same: final wins.
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
        // The store did not take it: asked for again, so that its link is not lost.
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
  /** Whether lemlist's word was `pending`. */
  readonly pending?: boolean
  readonly misses?: number
  readonly failures?: number
}

const bug = (cause: unknown): Problem =>
  new Problem('internal', 'Something went wrong in the gateway.', { cause })
