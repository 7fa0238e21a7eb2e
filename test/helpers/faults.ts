import { expect } from 'vitest'
import { z } from 'zod'
import type { ProblemCode } from '../../src/problems.ts'
import { PROBLEMS } from '../../src/problems.ts'
import type { ScriptedAnswer } from '../../src/sandbox/scripted-answers.ts'
import { startGateway, statusPath, type TestGateway } from './gateway.ts'
import { doneBody, pendingBody, REF } from './status-bodies.ts'

/** lemlist's faulty answers contain this text. No answer to a caller may contain it. */
export const CANARY = 'canary-5b1e07c2'

/** What the gateway knows of the export before lemlist's fault. */
export const START_STATES = ['unknown', 'pending', 'done'] as const
export type StartState = (typeof START_STATES)[number]

export interface Fault {
  readonly name: string
  readonly answer: ScriptedAnswer
  readonly code: ProblemCode
  /** The code when the gateway has seen the export pending before, if it is another one. */
  readonly codeAfterPending?: ProblemCode
  /** The trouble passes: the gateway serves a young pending observation instead of the problem. */
  readonly passing?: boolean
  /** Whether the problem has a `Retry-After`. */
  readonly retryAfter?: boolean
  /** `LEMLIST_TIMEOUT_MS`, shorter than its default where the fault lasts until that deadline. */
  readonly timeoutMs?: number
  /** How many calls to lemlist one read costs. Default 1. */
  readonly calls?: number
}

/** A budget that never makes a call wait, for tests of something else. */
export const BOUNDLESS = { LEMLIST_RATE_LIMIT: '1000000', LEMLIST_RATE_RESERVE: '0', DOCS: 'false' }

const seen: Readonly<Record<StartState, ScriptedAnswer | undefined>> = {
  unknown: undefined,
  pending: { body: pendingBody() },
  done: { body: doneBody() },
}

/** Starts a gateway and brings it to the start state by one read, where the state needs one. */
export const startIn = async (
  state: StartState,
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway> => {
  const gateway = await startGateway({ env: { ...BOUNDLESS, ...env } })
  const answer = seen[state]
  if (answer !== undefined) {
    gateway.lemlist.script({ times: 1 }, answer)
    expect((await fetch(gateway.url + statusPath(REF))).status).toBe(200)
    gateway.lemlist.clearCalls()
  }
  return gateway
}

/** Puts the canary into the headers. The emulator's own answers and raw bytes stay as they are. */
export const spiked = (answer: ScriptedAnswer): ScriptedAnswer => {
  if (answer.status === undefined && answer.body === undefined) return answer
  const headers = answer.headers ?? { 'Content-Type': 'application/json' }
  return {
    ...answer,
    headers: { 'X-Canary': CANARY, 'Set-Cookie': `a=${CANARY}`, Server: CANARY, ...headers },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Reads the scripted export, and expects that the answer repeats nothing of lemlist's fault. */
export const read = async ({ url }: Pick<TestGateway, 'url'>): Promise<Answer> => {
  const response = await fetch(url + statusPath(REF), { redirect: 'manual' })
  const text = await response.text()
  const everything = JSON.stringify([...response.headers]) + text
  expect(everything).not.toContain(CANARY)
  return { status: response.status, headers: response.headers, text }
}

const problemDocument = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  instance: z.string(),
  code: z.string(),
  retryable: z.boolean(),
})

/**
 * Expects that the answer is this problem of the catalogue, with all its members and headers.
 * @param retryable what the answer says about a repeat; by default what the catalogue says
 */
export const expectProblem = (
  answer: Answer,
  code: ProblemCode,
  retryable: boolean = PROBLEMS[code].retryable,
): void => {
  const document = problemDocument.parse(JSON.parse(answer.text))
  const { status, title } = PROBLEMS[code]
  expect({ ...document, detail: undefined, answered: answer.status }).toEqual({
    type: `urn:lemlist-export-gateway:problem:${code}`,
    title,
    status,
    code,
    retryable,
    instance: answer.headers.get('x-request-id'),
    answered: status,
  })
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('etag')).toBeNull()
}

/** Expects that the answer is the pending observation from before, marked as stale. */
export const expectStale = (answer: Answer): void => {
  expect(answer.status).toBe(200)
  expect(answer.text).toBe(pendingBody())
  expect(answer.headers.get('cache-status')).toBe('lemlist-gateway; hit; detail=STALE')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('age')).toMatch(/^\d$/)
  expect(answer.headers.get('retry-after')).toMatch(/^(5|6)$/)
}
