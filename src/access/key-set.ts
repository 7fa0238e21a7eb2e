import { type CryptoKey, createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { Problem } from '../problems.ts'

/** The part of `fetch` that the key set uses, so that the caller can choose a proxy. */
export type Fetch = (
  url: string,
  init: {
    readonly headers: Readonly<Record<string, string>>
    readonly redirect: 'manual'
    readonly signal: AbortSignal
  },
) => Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> | null }>

interface FoundKey {
  readonly key: CryptoKey
  /** That of the set in which the key was. */
  readonly era: number
}

/** The keys of the OpenID provider that check tokens (JWKS, RFC 7517). */
export interface KeySet {
  /**
   * Finds the key for a token. Fetches the set when it has none yet, and when no key fits.
   *
   * @throws Problem `overloaded` while no set was ever fetched; jose's errors when no key fits
   */
  find(...token: Parameters<JWTVerifyGetKey>): Promise<FoundKey>
  /** Fetches the set again in the background if it is old. Never throws. */
  freshen(): void
  /** Grows whenever the provider shows other keys than before. */
  era(): number
}

interface KeySetOptions {
  readonly url: URL
  readonly fetch: Fetch
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Told when a fetch fails. The keys of before stay. */
  readonly onTrouble?: ((error: unknown) => void) | undefined
}

/** The set is fetched again for an unknown key at most once in this time, whatever came of it. */
const COOLDOWN_MS = 30_000
/** While there is no set at all, the gateway may look for one sooner. */
const FIRST_COOLDOWN_MS = 5_000
/** A key that the provider took back is known here for at most about this time. */
const MAX_AGE_MS = 600_000
const TIMEOUT_MS = 5_000
/** Real sets are smaller than 16 KiB. */
const MAX_BYTES = 256 * 1024

/**
 * jose has `createRemoteJWKSet`, but that one forgets the keys when the provider is away for longer
 * than their age, and after a failed fetch it fetches again at once for each unknown key.
 */
export const createKeySet = ({ url, fetch, now, onTrouble }: KeySetOptions): KeySet => {
  let local: ReturnType<typeof createLocalJWKSet> | undefined
  let text = ''
  let era = 0
  let fetchedAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let pending: Promise<void> | undefined

  const load = async (): Promise<void> => {
    try {
      const next = await readSet(url, fetch)
      // Made first: it throws when this is no key set.
      const set = createLocalJWKSet(JSON.parse(next))
      fetchedAt = now()
      if (next === text) return
      ;[local, text] = [set, next]
      era += 1
    } catch (error) {
      onTrouble?.(error)
    } finally {
      pending = undefined
    }
  }
  /** Milliseconds until the next fetch is allowed. A clock that was set back allows it at once. */
  const cooldownMs = (): number => {
    const elapsed = now() - triedAt
    const whole = local === undefined ? FIRST_COOLDOWN_MS : COOLDOWN_MS
    return elapsed < 0 ? 0 : Math.max(0, whole - elapsed)
  }
  const refresh = (): Promise<void> => {
    if (pending === undefined && cooldownMs() === 0) {
      triedAt = now()
      pending = load()
    }
    return pending ?? Promise.resolve()
  }

  const look = async (...token: Parameters<JWTVerifyGetKey>): Promise<FoundKey> => {
    if (local === undefined) {
      throw new Problem('overloaded', 'The keys that check tokens cannot be fetched.', {
        retryAfterMs: Math.max(1_000, cooldownMs()),
      })
    }
    const of = era
    return { key: await local(...token), era: of }
  }

  return {
    era: () => era,
    freshen: () => {
      const age = now() - fetchedAt
      if (local !== undefined && (age > MAX_AGE_MS || age < 0)) void refresh()
    },
    find: async (...token) => {
      if (local === undefined) await refresh()
      const before = era
      try {
        return await look(...token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await refresh()
        if (era === before) throw error
        return look(...token)
      }
    },
  }
}

/** @throws when the provider does not answer 200 in time, or with more than 256 KiB */
const readSet = async (url: URL, fetch: Fetch): Promise<string> => {
  const { status, body } = await fetch(url.href, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    if (size > MAX_BYTES) throw new Error('the key set is larger than 256 KiB')
    chunks.push(chunk)
  }
  if (status !== 200) throw new Error(`the key set was answered with status ${status}`)
  return new TextDecoder().decode(Buffer.concat(chunks))
}
