import { refused } from './refusals.ts'

/** Three parts of base64url, without padding and without anything between (RFC 7515, 2 and 7.1). */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/**
 * Refuses all other spellings of a signed token. jose decodes them as well: it skips white space, and takes
 * padding and the characters of plain base64. So one token would have any number of texts.
 *
 * @throws Problem `unauthenticated`
 */
export const requireCompact = (token: string): void => {
  if (!COMPACT.test(token)) throw refused()
}
