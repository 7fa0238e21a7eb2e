import { Problem } from '../../problems.ts'
import { isUnknown, timedOut } from '../ends.ts'
import { type ExportRef, isFinal, isPending, type Kept } from '../export.ts'
import type { Observer, Results, Updates } from '../ports.ts'
import type { Claim, Origin, Plan, Schedule, Tracked } from '../schedule.ts'
import type { Alarm } from './alarm.ts'
import { nextLook, type PollIntervals } from './poll-policy.ts'

/** Decides after each look whether and when the gateway looks at the export again. */
export interface Follower {
  /** Called after a caller's look. The look counts like a poll, so the next poll moves back. */
  note(ref: ExportRef, kept: Kept): Promise<void>
  /** It was started through the gateway just now. */
  begin(ref: ExportRef): Promise<void>
  /** Its start is repeated. It is followed again where it is not followed any more. */
  resume(ref: ExportRef): Promise<void>
  /** Says what it means that lemlist does not know the export at this look. */
  standing(ref: ExportRef): Promise<Standing>
  /** When the gateway first saw an export that it follows, epoch milliseconds. Never rejects. */
  followedSince(ref: ExportRef): Promise<number | undefined>
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

export interface FollowerOptions {
  readonly schedule: Pick<Schedule, 'track' | 'find' | 'reschedule' | 'untrack'>
  readonly results: Pick<Results, 'put'>
  readonly updates: Pick<Updates, 'publish'>
  readonly observer: Observer
  readonly intervals: PollIntervals
  /** Whether somebody watches the export on this replica. */
  readonly isWatched: (ref: ExportRef) => boolean
  /** Rings when an export is due. */
  readonly alarm: Pick<Alarm, 'set'>
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
/**
 * A clock that jumps ahead makes all exports too old at once. So the gateway gives an export up
 * only after this many looks in a row at which it was too old.
 */
const AGED_LOOKS_TO_BE_SURE = 3

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

  const find = async (ref: ExportRef): Promise<Tracked | undefined> =>
    (await attempt('schedule.find', schedule.find([ref])))?.[0]

  const planned = (
    { firstSeenAt, watched }: { readonly firstSeenAt: number; readonly watched: boolean },
    { origin, pending = true, misses = 0, failures = 0, agedLooks = 0 }: Looked,
  ): Plan => {
    const look = { now: now(), firstSeenAt, watched, pending, failures, random: random() }
    return { ...nextLook(look, intervals), origin, misses, failures, agedLooks }
  }

  /** Returns whether the schedule has room for the export and has noted it. */
  const track = async (ref: ExportRef, firstSeenAt: number, plan: Plan): Promise<boolean> => {
    const work = schedule.track([{ ref, firstSeenAt, ...plan }])
    const refused = await attempt('schedule.track', work)
    if (refused !== undefined && refused.length > 0) observer.scheduleFull(refused.length)
    alarm.set(plan.dueAt)
    return refused?.length === 0
  }

  const announce = (ref: ExportRef): Promise<void> => publish(ref, { kind: 'followed' })

  const begin = async (ref: ExportRef): Promise<void> => {
    const seen = { firstSeenAt: now(), watched: isWatched(ref) }
    if (await track(ref, seen.firstSeenAt, planned(seen, { origin: 'started' })))
      await announce(ref)
  }

  const again = async (claim: Claim, looked: Looked): Promise<void> => {
    const { ref, firstSeenAt } = claim
    const watched = claim.watched || isWatched(ref)
    const isAged = now() - firstSeenAt > options.exportTtlMs * FOLLOWED_PART_OF_TTL
    const agedLooks = isAged && !watched ? claim.agedLooks + 1 : 0
    if (agedLooks >= AGED_LOOKS_TO_BE_SURE) return untrack(claim)
    const plan = planned({ firstSeenAt, watched }, { ...looked, agedLooks })
    const kept = await attempt('schedule.reschedule', schedule.reschedule(claim, plan))
    alarm.set(plan.dueAt)
    // The last watcher left during this look, and the schedule forgot the export. Now lemlist has
    // confirmed it, so the gateway follows it.
    const isConfirmed = claim.origin === 'watched' && looked.origin === 'pending'
    if (!isConfirmed || kept === undefined) return
    if (!kept && (await find(ref)) === undefined) {
      await track(ref, firstSeenAt, planned({ firstSeenAt, watched: isWatched(ref) }, looked))
    }
    await announce(ref)
  }

  const isJustStarted = ({ origin, firstSeenAt }: Tracked): boolean =>
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
    const put = results.put(ref, record, claim.firstSeenAt)
    const kept = await attempt('results.put', put)
    if (kept?.kind !== 'final') return end(claim, timedOut())
    // Another replica has seen a final status of the export, and a final status wins.
    await publish(ref, { kind: 'status', snapshot: kept.snapshot })
    await untrack({ ref })
  }

  return {
    note: async (ref, { snapshot, keptUntil, firstSeenAt: seenHereAt }) => {
      if (isFinal(snapshot) && keptUntil !== undefined) return untrack({ ref })
      // The schedule is asked, because another replica may have seen the export long before this
      // one, and may have watchers when this one has none.
      const known = await find(ref)
      const firstSeenAt = Math.min(seenHereAt, known?.firstSeenAt ?? seenHereAt)
      const watched = known?.watched === true || isWatched(ref)
      const looked = { origin: 'pending', pending: isPending(snapshot) } as const
      const isTracked = await track(ref, firstSeenAt, planned({ firstSeenAt, watched }, looked))
      const isNew = known === undefined || known.origin === 'watched'
      if (isTracked && isNew) await announce(ref)
    },
    begin,
    resume: async (ref) => {
      const known = await find(ref)
      if (known === undefined || known.origin === 'watched') await begin(ref)
    },
    standing: async (ref) => {
      const known = await find(ref)
      if (known === undefined || known.origin === 'watched') return 'none'
      return isJustStarted(known) ? 'young' : 'followed'
    },
    followedSince: async (ref) => (await find(ref))?.firstSeenAt,
    settle: async (claim, { snapshot, keptUntil }) => {
      // Before its first look an export counts as looked at before it was seen. Both times lie in the
      // future when the clock was set back.
      const lookedAt = Math.max(claim.lookedAt, claim.firstSeenAt)
      if (isFinal(snapshot) && claim.watched) observer.detected?.(Math.max(0, now() - lookedAt))
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
  readonly agedLooks?: number
}

const bug = (cause: unknown): Problem =>
  new Problem('internal', 'Something went wrong in the gateway.', { cause })
