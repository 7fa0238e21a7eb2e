/** A target may begin with scheme and host (RFC 9112, 3.2.2). A proxy sends such targets. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i

/** The path and the query of a request target. */
export const pathAndQueryOf = (target: string): string =>
  target.startsWith('/') ? target : target.replace(ORIGIN, '')

/** The path of a request target. */
export const pathOf = (target: string): string => pathAndQueryOf(target).split(/[?#]/, 1)[0] ?? ''

/**
 * Whether two hosts are the same for URLs of this scheme. Case, an empty port and the default port
 * of the scheme make no difference (RFC 9110, 4.2.3).
 */
export const isSameHost = (one: string, other: string, protocol: string): boolean =>
  comparable(one, protocol) === comparable(other, protocol)

const comparable = (host: string, protocol: string): string =>
  host.toLowerCase().replace(protocol === 'https:' ? /:(443)?$/ : /:(80)?$/, '')
