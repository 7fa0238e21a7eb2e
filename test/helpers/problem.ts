import { expect } from 'vitest'
import { z } from 'zod'
import type { WireAnswer } from './wire.ts'

/**
 * Every problem that callers can rely on, with its status. This is a second copy of the project's
 * promise that imports nothing of `src/`, so that no code and no status changes by accident.
 */
export const PROMISED_PROBLEMS: Readonly<Record<string, number>> = {
  'invalid-id': 400,
  'invalid-request': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'export-not-found': 404,
  'campaign-not-found': 404,
  'export-timed-out': 404,
  'method-not-allowed': 405,
  'not-acceptable': 406,
  'request-timeout': 408,
  'export-not-ready': 409,
  'export-failed': 409,
  'idempotency-in-progress': 409,
  'start-outcome-unknown': 409,
  'export-expired': 410,
  'payload-too-large': 413,
  'uri-too-long': 414,
  'unsupported-media-type': 415,
  'misdirected-request': 421,
  'rate-limited': 429,
  'header-too-large': 431,
  internal: 500,
  'upstream-invalid': 502,
  'upstream-credentials': 502,
  'upstream-unavailable': 503,
  'budget-exhausted': 503,
  overloaded: 503,
  'store-unavailable': 503,
  'upstream-timeout': 504,
}

const sentence = z.string().min(1).max(200)

/** The RFC 9457 object as the project promises it, without any other member. */
export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: sentence,
    status: z.int(),
    detail: sentence,
    instance: z.string().regex(/^[A-Za-z0-9._~:+-]{1,64}$/),
    code: z.string(),
    retryable: z.boolean(),
    errors: z.array(z.strictObject({ path: z.string(), message: sentence })).optional(),
  })
  .refine(({ type, code }) => type === `urn:lemlist-export-gateway:problem:${code}`, 'type')
  .refine(({ status, code }) => PROMISED_PROBLEMS[code] === status, 'code and status')

/** Expects that an answer is this problem, with all that the project promises of a problem. */
export const expectProblem = (
  { status, headers, body, rest }: WireAnswer,
  code: string,
): z.infer<typeof problemSchema> => {
  const problem = problemSchema.parse(JSON.parse(body))
  expect({ status, code: problem.code }).toEqual({ status: PROMISED_PROBLEMS[code], code })
  expect(problem.status).toBe(status)
  expect(headers.get('content-type')).toBe('application/problem+json')
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-request-id')).toBe(problem.instance)
  expect(Number(headers.get('content-length'))).toBe(Buffer.byteLength(body))
  expect(rest).toBe('')
  return problem
}
