import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/**
 * The keys of callers: `leg_` and 32 random bytes in base64url. The access file holds their SHA-256
 * digests only. A random key of 256 bits needs no slow hash, because nobody can guess it.
 */

const PREFIX = 'leg_'
/** The prefix, and 32 bytes in base64url. */
const KEY_CHARS = PREFIX.length + 43

export const createKey = (): string => `${PREFIX}${randomBytes(32).toString('base64url')}`

/** The digest of a key as the access file holds it: `sha256:` and 64 hex digits. */
export const digestOf = (key: string): string => `sha256:${hash('sha256', key, 'hex')}`

/** Finds what belongs to a key. */
export interface KeyRing<T> {
  find(key: string): T | undefined
}

/**
 * The way to a key is its digest. Whoever does not know the key cannot choose the digest, so the
 * time of the look-up tells him nothing about the digests that are there. The whole digest is then
 * compared in constant time.
 *
 * @param entries digests as in the access file, and what belongs to each
 */
export const createKeyRing = <T>(entries: Iterable<readonly [digest: string, of: T]>) => {
  const ring = new Map<string, { readonly digest: Buffer; readonly of: T }>()
  for (const [text, of] of entries) {
    const digest = Buffer.from(text.slice('sha256:'.length), 'hex')
    ring.set(digest.toString('binary'), { digest, of })
  }
  // Node makes a digest as a string three times faster than as a buffer, so the bytes are written
  // into one buffer that stays.
  const bytes = Buffer.alloc(32)
  // A digest costs ten times as much as the rest of the authentication. So a key that was found is
  // remembered as long as this ring is in use. There are no more of these than digests. The table of
  // a Map is found by a hash with a secret seed, so its time tells nothing about keys that are near.
  const known = new Map<string, T>()
  return {
    find: (key) => {
      const before = known.get(key)
      if (before !== undefined) return before
      if (key.length !== KEY_CHARS || !key.startsWith(PREFIX)) return undefined
      const digest = hash('sha256', key, 'binary')
      const found = ring.get(digest)
      if (found === undefined) return undefined
      bytes.write(digest, 'binary')
      if (!timingSafeEqual(found.digest, bytes)) return undefined
      known.set(key, found.of)
      return found.of
    },
  } satisfies KeyRing<T>
}
