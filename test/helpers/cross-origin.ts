import { expect } from 'vitest'
import { rawRequest } from './wire.ts'

/** What the gateway tells browsers about pages of other origins. */

/** A page that may call, and one that may not. */
export const APP = 'https://app.example.com'
export const DEV = 'http://localhost:5173'
export const STRANGER = 'https://app.example.com.evil.example'

/** Both origins are in the list. */
export const OPEN_TO_PAGES = { CORS_ORIGINS: `${APP},${DEV}` }

/** Exactly the headers that the documentation promises. */
export const ALLOWED =
  'Authorization, X-Api-Key, X-Lemlist-Account, Idempotency-Key, If-None-Match, Prefer, Range, X-Request-Id, Last-Event-ID, Content-Type'
export const EXPOSED =
  'ETag, Age, Cache-Status, Retry-After, Link, Location, X-Request-Id, Preference-Applied, Content-Disposition, Content-Range'

/** The headers of an answer that concern other origins, sorted by name. */
export const corsOf = (headers: Headers): Record<string, string> =>
  Object.fromEntries(
    [...headers].filter(([name]) => /^(access-control-|timing-allow-|cross-origin-)/.test(name)),
  )

/** Expects what an answer to a page that may call has, and nothing more. */
export const expectReadable = (headers: Headers, origin: string): void => {
  expect(corsOf(headers)).toEqual({
    'access-control-allow-origin': origin,
    'access-control-expose-headers': EXPOSED,
  })
  expectVary(headers)
}

/** Expects what everybody else is told: nothing but that the answer depends on the origin. */
export const expectUnreadable = (headers: Headers): void => {
  expect(corsOf(headers)).toEqual({})
  expectVary(headers)
}

const expectVary = (headers: Headers): void => {
  const fields = (headers.get('vary') ?? '').split(', ')
  expect(fields.filter((field) => field === 'Origin')).toHaveLength(1)
}

/** A request with an `Origin`, if there is one. */
export const requestOf = (
  origin: string | undefined,
  target: string,
  { method = 'GET', headers = [] as readonly string[], body = '' } = {},
): string =>
  rawRequest(target, {
    method,
    body,
    headers: [
      'Host: 127.0.0.1',
      ...(origin === undefined ? [] : [`Origin: ${origin}`]),
      ...headers,
    ],
  })

/** The preflight that a browser sends before a request with headers of its own. */
export const preflightOf = (origin: string | undefined, target: string, method = 'GET'): string =>
  requestOf(origin, target, {
    method: 'OPTIONS',
    headers: [
      `Access-Control-Request-Method: ${method}`,
      'Access-Control-Request-Headers: authorization,x-api-key',
    ],
  })
