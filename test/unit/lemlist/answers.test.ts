import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type RawAnswer, toSnapshot } from '../../../src/lemlist/answers.ts'
import { Problem } from '../../../src/problems.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 0, 2)

const raw = (body: string | Uint8Array, more: Partial<RawAnswer> = {}): RawAnswer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(body),
  cut: false,
  askedAt: NOW - 40,
  receivedAt: NOW,
  ...more,
})
const snapshotOf = (body: string, more?: Partial<RawAnswer>) =>
  toSnapshot(REF, raw(body, more), DAY)

describe('a snapshot', () => {
  it('is the bytes, the state and when lemlist said so', () => {
    const body = pendingBody()
    expect(snapshotOf(body)).toEqual({
      body: Buffer.from(body),
      state: 'pending',
      version: expect.stringMatching(/^[\w-]{22}$/),
      askedAt: NOW - 40,
      observedAt: NOW,
    })
  })

  // Regression: the bodies were slices of Node's buffer pool, and 64 MiB of kept answers held
  // several times as much memory.
  it('holds no more memory than its bytes', () => {
    const { body } = snapshotOf(pendingBody())
    expect(body.buffer.byteLength).toBe(body.byteLength)
  })

  it('has a version that is the same for the same bytes and no others', () => {
    const versions = [pendingBody(), pendingBody(), ` ${pendingBody()}`, doneBody()].map(
      (body) => snapshotOf(body).version,
    )
    expect(versions[0]).toBe(versions[1])
    expect(new Set(versions).size).toBe(3)
  })

  it('has an end of life when it is final, and only then', () => {
    const ended = { endedAt: new Date(NOW - 5).toISOString() }
    expect(snapshotOf(statusBody('done', ended)).endOfLife).toBe(NOW - 5 + DAY)
    expect(snapshotOf(statusBody('error')).endOfLife).toBe(NOW + DAY)
    expect(snapshotOf(statusBody('queued', ended))).not.toHaveProperty('endOfLife')
  })

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset=UTF-8',
    ' application/json ',
  ])('is made of an answer of the type %s', (type) => {
    expect(snapshotOf(pendingBody(), { headers: { 'content-type': type } }).state).toBe('pending')
  })

  it('is made of an answer with the content encoding `identity`', () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'identity' }
    expect(snapshotOf(pendingBody(), { headers }).state).toBe('pending')
  })

  it('is never made of an answer that was cut', () => {
    expect(() => snapshotOf(pendingBody(), { cut: true })).toThrow(Problem)
  })
})

describe('an answer of lemlist', () => {
  const refused = (answer: RawAnswer): Problem | undefined => {
    try {
      toSnapshot(REF, answer, DAY)
      return undefined
    } catch (error) {
      if (error instanceof Problem) return error
      throw error
    }
  }

  it('becomes a snapshot or a problem, and never another error', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
      fc.jsonValue().map((value) => Buffer.from(JSON.stringify({ ok: true, status: value }))),
      fc.jsonValue().map((value) => Buffer.from(statusBody(value))),
    )
    const type = fc.constantFrom('application/json', 'text/html', 'text/plain', undefined)
    const status = fc.oneof(fc.constant(200), fc.integer({ min: 100, max: 999 }))
    fc.assert(
      fc.property(bytes, type, status, (body, contentType, code) => {
        const problem = refused(
          raw(body, { status: code, headers: { 'content-type': contentType } }),
        )
        if (problem === undefined) return code === 200
        return /^(upstream-|budget-|campaign-not|export-not)/.test(problem.code)
      }),
      { numRuns: 3_000 },
    )
  })

  it('with 400 or 404 is understood by its words, in upper or lower case', () => {
    const code = (status: number, body: string) => refused(raw(body, { status }))?.code
    expect(code(400, 'NO API KEY provided')).toBe('upstream-credentials')
    expect(code(404, 'no USER found for this API key')).toBe('upstream-credentials')
    expect(code(400, 'bad team')).toBe('campaign-not-found')
    expect(code(404, 'CAMPAIGN not found')).toBe('campaign-not-found')
    expect(code(404, 'Export with id axp_1 not found')).toBe('export-not-found')
    expect(code(400, 'Bad request')).toBe('upstream-invalid')
  })

  it('never gets into the texts that callers are told', () => {
    const canary = 'canary-1'
    for (const status of [200, 302, 400, 401, 403, 404, 405, 429, 500, 503]) {
      const problem = refused(raw(canary, { status, headers: { 'x-canary': canary } }))
      expect(problem?.message).toMatch(/lemlist/)
      expect(`${problem?.message} ${problem?.title}`).not.toContain(canary)
    }
  })
})
