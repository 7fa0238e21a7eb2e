import { expect } from 'vitest'
import { z } from 'zod'
import type { ProblemCode } from '../../src/problems.ts'
import { PROBLEMS } from '../../src/problems.ts'
import type { ScriptedAnswer } from '../../src/sandbox/scripted-answers.ts'
import { startGateway, statusPath, type TestGateway } from './gateway.ts'
import { doneBody, pendingBody, REF } from './status-bodies.ts'

/** Planted in what lemlist sends; found in nothing that callers get. */
export const CANARY = 'canary-5b1e07c2'

/** What the gateway knows of the export before the fault comes. */
export const START_STATES = ['unknown', 'pending', 'done'] as const
export type StartState = (typeof START_STATES)[number]

export interface Fault {
  readonly name: string
  readonly answer: ScriptedAnswer
  readonly code: ProblemCode
  /** The code when the export was seen pending before, if another. */
  readonly codeAfterPending?: ProblemCode
  /** lemlist's trouble that passes: a young pending observation is shown in its place. */
  readonly passing?: boolean
  /** Whether the problem says when to come back. */
  readonly retryAfter?: boolean
  /** `LEMLIST_TIMEOUT_MS`; for faults that last as long as the deadline. */
  readonly timeoutMs?: number
  /** How many calls one read costs. Default 1. */
  readonly calls?: number
}

/** A budget that is no part of what these tests look at. */
export const BOUNDLESS = { LEMLIST_RATE_LIMIT: '1000000', LEMLIST_RATE_RESERVE: '0', DOCS: 'false' }

const seen: Readonly<Record<StartState, ScriptedAnswer | undefined>> = {
  unknown: undefined,
  pending: { body: pendingBody() },
  done: { body: doneBody() },
}

/** A gateway that has already read the export once, with whatever gave it its start state. */
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

/** The answer with the canary in its headers. Real and raw answers stay as they are. */
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

/** One read of the scripted export, with nothing of the fault echoed. */
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

/** That the answer is this problem of the catalogue, whole. */
export const expectProblem = (answer: Answer, code: ProblemCode): void => {
  const document = problemDocument.parse(JSON.parse(answer.text))
  const { status, title, retryable } = PROBLEMS[code]
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

/** That the answer is the pending observation from before, marked as such. */
export const expectStale = (answer: Answer): void => {
  expect(answer.status).toBe(200)
  expect(answer.text).toBe(pendingBody())
  expect(answer.headers.get('cache-status')).toBe('lemlist-gateway; hit; detail=STALE')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('age')).toMatch(/^\d$/)
  expect(answer.headers.get('retry-after')).toMatch(/^(5|6)$/)
}
