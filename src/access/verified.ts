import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/**
 * Remembers what verified tokens say, because a signature costs about a hundred times as much as
 * the rest of a hit. The token itself is not kept, only its SHA-256 digest.
 */
export interface Verified<T> {
  /** @param era the keys of now. What was verified by other keys does not count any more. */
  get(token: string, era: number): T | undefined
  /** @param untilMs when the token ends, epoch milliseconds */
  set(token: string, claims: T, untilMs: number, era: number): void
}

/** Tokens in use within some minutes. With more of them some are verified again. */
const MAX_TOKENS = 1_000

/** Told how much of the room for tokens is used, 0 to 1. */
export type Measure = (name: string, usedPart: () => number) => void

export const createVerified = <T>(
  now: () => number,
  max = MAX_TOKENS,
  measure?: (usedPart: () => number) => void,
): Verified<T> => {
  const tokens = new LRUCache<string, { claims: T; untilMs: number; era: number }>({ max })
  measure?.(() => tokens.size / max)
  const digestOf = (token: string): string => hash('sha256', token, 'binary')
  return {
    get: (token, era) => {
      const digest = digestOf(token)
      const found = tokens.get(digest)
      if (found === undefined) return undefined
      if (found.era === era && now() < found.untilMs) return found.claims
      tokens.delete(digest)
      return undefined
    },
    set: (token, claims, untilMs, era) => {
      tokens.set(digestOf(token), { claims, untilMs, era })
    },
  }
}
