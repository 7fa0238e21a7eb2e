import type { FastifyRequest } from 'fastify'
import { Problem } from '../../problems.ts'
import { isSameHost } from '../request-target.ts'

/**
 * A browser sends a simple POST to another origin without asking first (no CORS preflight). So a
 * page anywhere on the web could make a browser start exports, even through a gateway on loopback.
 * A page cannot change the two headers that are read here.
 */

interface HomeOptions {
  /**
   * Where callers reach the gateway: `PUBLIC_URL`. A page of its host is no foreign one, even when a
   * proxy has changed `Host`.
   */
  readonly publicUrl: URL | undefined
  /** The origins of pages that may call: `CORS_ORIGINS`. */
  readonly corsOrigins: readonly string[]
}

const isForeign = (
  { headers }: FastifyRequest,
  { publicUrl, corsOrigins }: HomeOptions,
): boolean => {
  const { host, origin, 'sec-fetch-site': site } = headers
  if (origin === undefined || origin === '') return site === 'cross-site'
  if (corsOrigins.includes(origin)) return false
  // A page without an origin of its own, such as a file or a sandboxed frame, sends `null`.
  if (!/^https?:/i.test(origin) || !URL.canParse(origin)) return true
  const { host: theirs, protocol } = new URL(origin)
  if (host !== undefined && isSameHost(theirs, host, protocol)) return false
  return publicUrl === undefined || !isSameHost(theirs, publicUrl.host, protocol)
}

/** Makes a hook that refuses requests of pages of an origin that may not call. */
export const refuseForeignPages =
  (home: HomeOptions) =>
  (request: FastifyRequest, _reply: unknown, done: (refusal?: Problem) => void): void => {
    done(
      isForeign(request, home)
        ? new Problem('forbidden', 'A page of another origin may not do this.')
        : undefined,
    )
  }
