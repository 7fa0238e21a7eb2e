import { type Reply, text } from './replies.ts'

/** lemlist's HTTP Basic: the user name is empty, the API key is the password. One key = one team. */

export interface Keys {
  /** Keys that work, each of its own team. */
  readonly accepted: readonly string[]
  /** Keys whose user is blocked. */
  readonly blocked: readonly string[]
  /** Keys that belong to nobody any more. */
  readonly userless: readonly string[]
}

/**
 * The key in an `Authorization` header; `undefined` when there is none, which is also what lemlist
 * makes of a key that was sent without the colon.
 */
export const keyIn = (authorization: string | undefined): string | undefined => {
  const [, encoded] = /^basic +(.+)$/i.exec(authorization ?? '') ?? []
  if (encoded === undefined) return undefined
  // Buffer would read base64url as well; lemlist documents plain base64, so that is a wrong key.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return encoded
  const [, key] = Buffer.from(encoded, 'base64').toString().split(':')
  return key === '' ? undefined : key
}

/** lemlist's answer to credentials that do not work; `undefined` when they do. */
export const refusal = (key: string | undefined, keys: Keys): Reply | undefined => {
  // Observed on the wire: this answer alone has no Content-Type.
  if (key === undefined) return { ...text(400, 'no api key provided'), headers: {} }
  if (keys.blocked.includes(key)) return text(403, 'User linked to this API key is blocked')
  if (keys.userless.includes(key)) return text(404, 'No user found for this API key')
  if (keys.accepted.includes(key)) return undefined
  return text(401, 'The authentication you supplied is incorrect')
}
