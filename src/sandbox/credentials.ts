import { type Reply, text } from './replies.ts'

/**
 * lemlist's HTTP Basic authentication: the user name is empty and the API key is the password. One
 * key belongs to one team.
 */

export interface Keys {
  /** Keys that work. Each belongs to its own team. */
  readonly accepted: readonly string[]
  /** Keys whose user is blocked. */
  readonly blocked: readonly string[]
  /** Keys that belong to nobody any more. */
  readonly userless: readonly string[]
}

/**
 * Returns the key in an `Authorization` header, or undefined when there is none. lemlist treats a
 * key that was sent without the colon as no key, and so does this function.
 */
export const keyIn = (authorization: string | undefined): string | undefined => {
  const [, encoded] = /^basic +(.+)$/i.exec(authorization ?? '') ?? []
  if (encoded === undefined) return undefined
  // `Buffer` also decodes base64url, but lemlist documents plain base64. So a key in base64url is a
  // wrong key here.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return encoded
  const [, key] = Buffer.from(encoded, 'base64').toString().split(':')
  return key === '' ? undefined : key
}

/** Returns lemlist's answer to a key that does not work, or undefined when the key works. */
export const refusal = (key: string | undefined, keys: Keys): Reply | undefined => {
  // Others have observed that this answer of lemlist, and no other, has no `Content-Type`.
  if (key === undefined) return { ...text(400, 'no api key provided'), headers: {} }
  if (keys.blocked.includes(key)) return text(403, 'User linked to this API key is blocked')
  if (keys.userless.includes(key)) return text(404, 'No user found for this API key')
  if (keys.accepted.includes(key)) return undefined
  return text(401, 'The authentication you supplied is incorrect')
}
