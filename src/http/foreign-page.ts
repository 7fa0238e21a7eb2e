import type { FastifyRequest } from 'fastify'
import { Problem } from '../problems.ts'
import { isSameHost } from './request-target.ts'

/**
 * A browser sends a simple POST to another origin without asking first (no CORS preflight). So a
 * page anywhere on the web could make a browser start exports, even through a gateway on loopback.
 * A page cannot change the two headers that are read here.
 */

const isForeign = ({ headers }: FastifyRequest, publicUrl: URL | undefined): boolean => {
  const { host, origin, 'sec-fetch-site': site } = headers
  if (origin === undefined || origin === '') return site === 'cross-site'
  // A page without an origin of its own, such as a file or a sandboxed frame, sends `null`.
  if (!/^https?:/i.test(origin) || !URL.canParse(origin)) return true
  const { host: theirs, protocol } = new URL(origin)
  if (host !== undefined && isSameHost(theirs, host, protocol)) return false
  return publicUrl === undefined || !isSameHost(theirs, publicUrl.host, protocol)
}

/**
 * Makes a hook that refuses requests of pages of another origin.
 *
 * @param publicUrl where callers reach the gateway: `PUBLIC_URL`. A page of its host is no foreign
 * one, even when a proxy has changed `Host`.
 */
export const refuseForeignPages =
  (publicUrl: URL | undefined) =>
  (request: FastifyRequest, _reply: unknown, done: (refusal?: Problem) => void): void => {
    done(
      isForeign(request, publicUrl)
        ? new Problem('forbidden', 'A page of another origin may not do this.')
        : undefined,
    )
  }
