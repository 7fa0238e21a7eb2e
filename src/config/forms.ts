import { isIP } from 'node:net'
import { z } from 'zod'

/** The forms that values of variables have. */

/** The longest delay that a timer of Node takes, milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1
export const LARGEST_LIMIT = 1_000_000_000

export const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be a whole number from ${min} to ${max}`)
export const duration = (min: number) => whole(min, LONGEST_TIMER)

/** Whether an address or name reaches this machine only. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)

/**
 * The parsed URL without a slash at its end, which parsing may add: `/a/.` becomes `/a/`. Also without an
 * empty query or fragment, as in `https://host?`, which would stand before a path that is added.
 */
const baseOf = (text: string): URL => {
  const url = new URL(text)
  url.pathname = url.pathname.replace(/\/+$/, '')
  url.search = ''
  url.hash = ''
  return url
}

export const baseUrl = z
  .string()
  .refine((text) => URL.canParse(text), 'must be an absolute URL')
  .refine((text) => {
    if (!URL.canParse(text)) return true
    const { protocol, hostname } = new URL(text)
    return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
  }, 'must begin with https: (http: is allowed for loopback only)')
  .refine((text) => {
    if (!URL.canParse(text)) return true
    const { username, password, search, hash } = new URL(text)
    return `${username}${password}${search}${hash}` === ''
  }, 'must have no user, password, query or fragment')
  .transform(baseOf)

const NO_WRAPPING = 'must be the bare key, without quotes around it, and no placeholder'

/** The schema of a lemlist API key. */
export const key = z
  .string()
  .regex(/^[\x21-\x7e]{1,512}$/, 'must be 1 to 512 printable ASCII characters without spaces')
  .regex(/^[^"'`].*$/s, NO_WRAPPING)
  .regex(/[^"'`]$/, NO_WRAPPING)
  // A placeholder that nobody has replaced.
  .regex(/^(?!<.*>$|\$\{?\w+\}?$)/s, NO_WRAPPING)

export const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .transform((word) => word === 'true')

export const publicUrl = z
  .string()
  .refine((text) => /^https?:\/\/[^/?#@\\\s]+(\/[^?#\\\s]*)?$/i.test(text) && URL.canParse(text), {
    error: 'must be http: or https: with a host, and nothing but a path after the host',
  })
  .transform(baseOf)

/** A name with digits and dots alone would be looked up like a name, and is an address with a slip. */
const HOST_NAME = /^(?![\d.]*$)[A-Za-z0-9._-]{1,253}$/

export const listeningHost = z
  .string()
  // People know an IPv6 address with the brackets that it has in a URL.
  .transform((text) => text.replace(/^\[(.*:.*)\]$/, '$1'))
  .refine((text) => isIP(text) !== 0 || HOST_NAME.test(text), {
    error: 'must be a host name or an address, without a port (PORT has it)',
  })

/**
 * Whether the Redis client can use this URL. A `#`, `/` or `?` ends the part of a URL in which the
 * password stands, so a password with one of them makes another URL, if it makes one at all.
 */
export const isRedisUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { hostname, username, password, pathname, search, hash } = new URL(text)
  try {
    decodeURIComponent(username)
    decodeURIComponent(password)
  } catch {
    return false
  }
  return hostname !== '' && search === '' && hash === '' && /^\/?\d*$/.test(pathname)
}

/** The secret of HS256 must have as many bytes as its hash, at least (RFC 7518, 3.2). */
export const ticketSecret = z
  .string()
  .refine((text) => Buffer.byteLength(text) >= 32, 'must have at least 32 bytes')

export const auth = z
  .enum(['none', 'keys', 'jwt', 'keys,jwt', 'jwt,keys'], 'must be none, keys, jwt or keys,jwt')
  .transform((text): ReadonlySet<'keys' | 'jwt'> => {
    const ways = text.split(',')
    return new Set((['keys', 'jwt'] as const).filter((way) => ways.includes(way)))
  })

export const jwksUrl = z
  .string()
  .refine((text) => {
    if (!URL.canParse(text)) return false
    const { protocol, hostname, username, password, hash } = new URL(text)
    const safe = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
    return safe && `${username}${password}${hash}` === ''
  }, 'must begin with https: (http: is allowed for loopback only) and have no user, password or fragment')
  .transform((text) => new URL(text))

/** A value that is compared as it is, such as the issuer of a token. */
export const word = z
  .string()
  .regex(/^[\x21-\x7e]{1,1024}$/, 'must be 1 to 1024 printable ASCII characters without spaces')

/** An origin as browsers send it: in lower case, without a default port, path or slash at the end. */
const isOrigin = (text: string): boolean =>
  /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text

export const origins = z
  .string()
  .transform((text) => [...new Set(text.split(',').map((one) => one.trim()))])
  .refine(
    (list) => list.every(isOrigin),
    'must be exact origins separated by commas, such as https://app.example.com: in lower case, without a path, a slash at the end, a default port, * or null',
  )
