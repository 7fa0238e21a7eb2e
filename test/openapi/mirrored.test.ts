import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type RawAnswer, toSnapshot, toStarted } from '../../src/lemlist/answers.ts'
import { createJudges, type Judge } from '../helpers/json-schema.ts'
import { DOCUMENT } from '../helpers/openapi.ts'

/** The document must allow every body that the gateway passes on, whatever lemlist puts into it. */

const REF = { account: 'default', campaignId: 'cam_A', exportId: 'axp_B' }

const answer = (body: unknown): RawAnswer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
  cut: false,
  askedAt: 0,
  receivedAt: 0,
})

const passes = (mirror: () => unknown): boolean => {
  try {
    mirror()
    return true
  } catch {
    return false
  }
}

const anything = fc.option(fc.jsonValue({ maxDepth: 2 }), { nil: undefined })
const fieldsOf = (...names: readonly string[]) =>
  fc.record(Object.fromEntries(names.map((name) => [name, anything])))

const COMMON = [
  ...['teamId', 'campaignName', 'startedAt', 'progressIndex', 'progressTime', 'progressType'],
  ...['progressLastStepDuration', 'progress', 'total', 'unheardOf'],
]
const idOr = (id: string) => fc.constantFrom(undefined, null, id)

let status: Judge
let started: Judge
beforeAll(async () => {
  const judgeBy = await createJudges(DOCUMENT)
  status = judgeBy({ $ref: '#/components/schemas/ExportStatus' })
  started = judgeBy({ $ref: '#/components/schemas/StartedExport' })
})

describe('the schema of a status', () => {
  // Regression: a `total` of 1.5 or a `url` of null was passed on, and the schema refused it.
  it.each([
    { total: 1.5 },
    { url: null },
    { progress: -1 },
    { progressTime: 2 ** 60 },
    { startedAt: 'yesterday' },
    { endedAt: 1_700_000_000 },
    { fileSize: '23654' },
    { campaignName: { de: 'Angebot' } },
    { id: null, _id: null, campaignId: null },
    { status: 'a new word' },
  ])('allows %o', (fields) => {
    const body = { ok: true, status: { status: 'pending', ...fields } }
    expect(passes(() => toSnapshot(REF, answer(body), 1))).toBe(true)
    expect(status(body)).toBeUndefined()
  })

  it('allows every body that the gateway passes on', () => {
    let passed = 0
    const body = fc.record({
      ok: anything,
      more: anything,
      status: fc
        .tuple(
          fieldsOf(...COMMON, 'endedAt', 'fileSize', 'url'),
          fc.record({
            status: fc.oneof({ weight: 9, arbitrary: fc.string() }, anything),
            id: idOr(REF.exportId),
            _id: idOr(REF.exportId),
            campaignId: idOr(REF.campaignId),
          }),
        )
        .map(([fields, rest]) => ({ ...fields, ...rest })),
    })
    fc.assert(
      fc.property(body, (given) => {
        if (!passes(() => toSnapshot(REF, answer(given), 1))) return
        passed += 1
        expect(status(JSON.parse(JSON.stringify(given)))).toBeUndefined()
      }),
      { numRuns: 500 },
    )
    expect(passed).toBeGreaterThan(200)
  })

  it.each([{}, { status: {} }, { status: { status: 7 } }, { status: [] }, [], 'done', null])(
    'refuses %o, which the gateway does not pass on either',
    (body) => {
      expect(passes(() => toSnapshot(REF, answer(body), 1))).toBe(false)
      expect(status(body)).toBeDefined()
    },
  )
})

describe('the schema of a start', () => {
  it('allows every body that the gateway passes on', () => {
    let passed = 0
    const body = fc
      .tuple(
        fieldsOf(...COMMON, 'status', 'ok'),
        fc.record({ id: idOr('axp_B'), _id: idOr('axp_B'), campaignId: idOr(REF.campaignId) }),
      )
      .map(([fields, ids]) => ({ ...fields, ...ids }))
    fc.assert(
      fc.property(body, (given) => {
        if (!passes(() => toStarted(REF, answer(given)))) return
        passed += 1
        expect(started(JSON.parse(JSON.stringify(given)))).toBeUndefined()
      }),
      { numRuns: 500 },
    )
    expect(passed).toBeGreaterThan(200)
  })

  it('refuses what is no object', () => {
    expect(started([])).toBeDefined()
    expect(started('started')).toBeDefined()
  })
})
