import { refused } from './refusals.ts'

/** Three parts of base64url, without padding and without anything between (RFC 7515, 2 and 7.1). */
const COMPACT = /^[\w-]+\.[\w-]+\.([\w-]+)$/

/**
 * Refuses all other spellings of a signed token. jose decodes them as well: it skips white space, takes
 * padding, and ignores the bits of the last character that mean nothing, which must be zero (RFC 4648,
 * 3.5). So one token would have any number of texts.
 *
 * @throws Problem `unauthenticated`
 */
export const requireCompact = (token: string): void => {
  const [, signature] = COMPACT.exec(token) ?? []
  if (signature === undefined || respelled(signature) !== signature) {
    throw refused(new Error('the token is not three parts of base64url'))
  }
}

const respelled = (part: string): string => Buffer.from(part, 'base64url').toString('base64url')
