import { createHash } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { Problem } from '../../problems.ts'
import { type CampaignRef, EXPORT_ID } from '../export.ts'
import type { Follower } from '../following/follower.ts'
import { objectFrom, parsed } from '../parsed.ts'
import type { Idempotency, Observer, Results, Started, Upstream } from '../ports.ts'

/** Starts exports, each once per key, and has the gateway follow them. */
export interface Starter {
  /**
   * @param once the caller and the key of the request; a repeated request gets the first answer
   * @throws Problem
   */
  start(
    campaign: CampaignRef,
    once?: { readonly caller: string; readonly key: string },
  ): Promise<Started>
}

interface StarterOptions {
  readonly upstream: Pick<Upstream, 'start'>
  readonly idempotency: Idempotency
  readonly results: Pick<Results, 'get'>
  readonly follower: Pick<Follower, 'begin' | 'resume'>
  readonly observer: Observer
  /** How long a caller waits in line for lemlist, milliseconds. */
  readonly patienceMs: number
  /** Deadline of a call to lemlist, milliseconds. */
  readonly timeoutMs: number
  /** Epoch milliseconds. */
  readonly now?: () => number
}

/** How long the store remembers a key. */
const REMEMBERED_MS = 24 * 60 * 60_000
/** What a start may take beyond its two deadlines: that in line and that of the call. */
const SLACK_MS = 2_000
/** After these problems lemlist has begun no export. After any other it may have begun one. */
const NOTHING_BEGUN: ReadonlySet<string> = new Set([
  'budget-exhausted',
  'upstream-credentials',
  'campaign-not-found',
])

export const createStarter = (options: StarterOptions): Starter => {
  const { upstream, idempotency, results, follower, observer } = options
  const { patienceMs, timeoutMs } = options
  const now = options.now ?? Date.now

  const begin = (campaign: CampaignRef): Promise<Started> => {
    const due = performance.now()
    return upstream.start(campaign, { due, giveUpAt: due + patienceMs, callClass: 'watched' })
  }

  const follow = async (campaign: CampaignRef, started: Started): Promise<Started> => {
    await follower.begin({ ...campaign, exportId: started.exportId })
    return started
  }

  /**
   * Follows the export of a repeated start, unless it is over. With the default lifetimes the store
   * remembers the result of an export longer than the key of its start, so an export without a
   * result is not over.
   */
  const followAgain = async (campaign: CampaignRef, started: Started): Promise<Started> => {
    const ref = { ...campaign, exportId: started.exportId }
    const known = await results.get(ref).catch((error) => {
      observer.storeFailed('results.get', error)
      return undefined
    })
    if (known === undefined) await follower.resume(ref)
    return started
  }

  /** The outcome of the start is known. The caller gets it even if the store fails to note it. */
  const note = (operation: string, work: Promise<void>): Promise<void> =>
    work.catch((error) => observer.storeFailed(operation, error))

  const beginOnce = async (campaign: CampaignRef, key: string): Promise<Started> => {
    try {
      const started = await begin(campaign)
      // The store keeps the answer before anything else happens, so that a crash cannot lose it.
      await note('idempotency.finish', idempotency.finish(key, started.body))
      return started
    } catch (error) {
      if (isNothingBegun(error)) await note('idempotency.forget', idempotency.forget(key))
      else await note('idempotency.giveUp', idempotency.giveUp(key))
      throw error
    }
  }

  const take = async (key: string) => {
    const inProgressUntil = now() + patienceMs + timeoutMs + SLACK_MS
    try {
      return await idempotency.begin(key, { inProgressUntil, forgetAt: now() + REMEMBERED_MS })
    } catch (cause) {
      observer.storeFailed('idempotency.begin', cause)
      throw new Problem(
        'store-unavailable',
        'The gateway cannot store the key now, so it started nothing.',
        {
          retryAfterMs: 5_000,
          cause,
        },
      )
    }
  }

  return {
    start: async (campaign, once) => {
      if (once === undefined) {
        const started = await begin(campaign).catch((error) => {
          throw mayHaveBegun(error)
        })
        return follow(campaign, started)
      }
      const key = hashOf(campaign, once.caller, once.key)
      const begun = await take(key)
      if (begun.state === 'yours') return follow(campaign, await beginOnce(campaign, key))
      // The process that started the export may have died before it tracked the export.
      const answer = begun.state === 'finished' ? decode(begun.answer) : undefined
      if (answer !== undefined) return followAgain(campaign, answer)
      if (begun.state === 'in-progress') {
        throw new Problem('idempotency-in-progress', 'A start with this key is under way.', {
          retryAfterMs: 1_000,
        })
      }
      throw new Problem(
        'start-outcome-unknown',
        'An earlier start with this key was begun, and its outcome is not known. The gateway started nothing now. Use a new key to start an export all the same.',
      )
    },
  }
}

const isNothingBegun = (error: unknown): boolean =>
  error instanceof Problem && (NOTHING_BEGUN.has(error.code) || error.options.notSent === true)

/**
 * The problem for a start without a key. A caller that repeats such a start may begin a second
 * export, so no problem of a start that was sent invites the caller to do that.
 */
const mayHaveBegun = (error: unknown): unknown => {
  if (!(error instanceof Problem) || isNothingBegun(error)) return error
  const { retryAfterMs: _, ...options } = error.options
  return new Problem(
    error.code,
    `${error.message} lemlist may have begun an export all the same. A repeated start may begin a second one.`,
    { ...options, retryable: false },
  )
}

/** A hash has one length, whatever callers send. NUL cannot be in a part, so it separates them. */
const hashOf = ({ account, campaignId }: CampaignRef, caller: string, key: string): string =>
  createHash('sha256').update([account, campaignId, caller, key].join('\0')).digest('base64url')

/**
 * Reads the answer that the store has kept. Undefined when it is no answer to a start, because
 * another program has written it. Then all that is known is that a start was begun.
 */
const decode = (body: Uint8Array): Started | undefined => {
  const { id, _id } = objectFrom(parsed(Buffer.from(body).toString()))
  const exportId = id ?? _id
  return typeof exportId === 'string' && EXPORT_ID.test(exportId) ? { exportId, body } : undefined
}
