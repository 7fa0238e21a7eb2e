import { describe, expect, it } from 'vitest'
import { CANARY, expectProblem, expectStale, read, spiked, startIn } from '../../helpers/faults.ts'
import { statusPath } from '../../helpers/gateway.ts'
import { pendingBody } from '../../helpers/status-bodies.ts'

/**
 * A 429 or 503 that asks the gateway to wait, in every form of the time. A read that is refused
 * meanwhile tells how long the key still rests.
 */

/** The gateway compares lemlist's dates with lemlist's clock. Here that is years behind its own. */
const theirs = { Date: 'Thu, 25 Jul 2024 12:43:46 GMT' }
const THEIR_NOW_S = Date.UTC(2024, 6, 25, 12, 43, 46) / 1_000

type Headers = Readonly<Record<string, string | string[]>>
const FORMS: [string, Headers, number][] = [
  ['seconds', { 'Retry-After': '7' }, 7],
  ['a fraction of seconds', { 'Retry-After': '2.5' }, 2.5],
  ['less than a second', { 'Retry-After': '0.25' }, 1],
  ['zero', { 'Retry-After': '0' }, 1],
  ['more than a minute', { 'Retry-After': '86400' }, 60],
  ['a date of HTTP', { ...theirs, 'Retry-After': 'Thu, 25 Jul 2024 12:43:57 GMT' }, 11],
  ['a date that is over', { ...theirs, 'Retry-After': 'Thu, 25 Jul 2024 12:43:45 GMT' }, 1],
  ['epoch seconds', { ...theirs, 'Retry-After': String(THEIR_NOW_S + 9) }, 9],
  ['epoch milliseconds', { ...theirs, 'Retry-After': String(THEIR_NOW_S * 1_000 + 8_000) }, 8],
  [
    'nothing but the reset, as a date of JavaScript',
    {
      ...theirs,
      'X-RateLimit-Reset': 'Thu Jul 25 2024 14:43:59 GMT+0200 (Central European Summer Time)',
    },
    13,
  ],
  [
    'a word, and the reset',
    { ...theirs, 'Retry-After': 'abc', 'X-RateLimit-Reset': 'Thu, 25 Jul 2024 12:43:51 GMT' },
    5,
  ],
]
/** A read that has to wait is refused after 210 ms, so that its answer tells the pause. */
const IMPATIENT = { LEMLIST_TIMEOUT_MS: '500' }

describe.each([
  [429, 'budget-exhausted'],
  [503, 'upstream-unavailable'],
] as const)('a %i with a Retry-After', (status, code) => {
  it.each(FORMS)('in %s makes the key rest for so long', async (_, headers, seconds) => {
    const gateway = await startIn('unknown', IMPATIENT)
    const body = `{ error: ${CANARY} }`
    gateway.lemlist.script({}, spiked({ status, headers, body }))
    const answer = await read(gateway)
    expectProblem(answer, code)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    let said = 0
    const askAgain = async () => {
      const refused = await read(gateway)
      expectProblem(refused, 'budget-exhausted')
      said = Number(refused.headers.get('retry-after'))
      return said
    }
    // The gateway adds up to a second, so that replicas do not all come back at once. On a slow
    // machine up to a second has passed already. A slow gateway may also refuse a caller before the
    // waiting line knows how long the key rests. That refusal says 1 s, so the test asks again.
    const least = Math.max(1, Math.floor(seconds) - 1)
    await expect.poll(askAgain, { timeout: 10_000 }).toBeGreaterThanOrEqual(least)
    expect(said).toBeLessThanOrEqual(Math.ceil(seconds) + 1)
    expect(gateway.lemlist.calls).toHaveLength(1)
  })
})

describe('a 429 that names no usable time', () => {
  it.each([
    ['nothing', {}],
    ['a negative number', { 'Retry-After': '-5' }],
    ['a word', { 'Retry-After': 'soon' }],
    ['two values', { 'Retry-After': ['3', '4'] }],
    ['a list', { 'Retry-After': '3, 4' }],
  ])('but %s makes the key rest for at most two seconds', async (_, headers) => {
    const gateway = await startIn('unknown', IMPATIENT)
    gateway.lemlist.script({ times: 1 }, spiked({ status: 429, headers, body: CANARY }))
    gateway.lemlist.script({}, { body: pendingBody() })
    expectProblem(await read(gateway), 'budget-exhausted')
    const next = await read(gateway)
    if (next.status === 503) expect(next.headers.get('retry-after')).toMatch(/^[12]$/)
    else expect(next.text).toBe(pendingBody())
  })
})

describe('a rest of the key', () => {
  it('shows the pending observation from before at every read', async () => {
    const gateway = await startIn('pending', IMPATIENT)
    gateway.lemlist.script({}, spiked({ status: 429, headers: { 'Retry-After': '30' } }))
    expectStale(await read(gateway))
    expectStale(await read(gateway))
    expect(gateway.lemlist.calls).toHaveLength(1)
  })

  it('holds for every export, and ends in time', async () => {
    const gateway = await startIn('unknown')
    const other = { campaignId: 'cam_Other', exportId: 'axp_Other' }
    gateway.lemlist.script({ times: 1 }, { status: 429, headers: { 'Retry-After': '0' } })
    gateway.lemlist.script({}, { body: pendingBody({}, other) })
    expectProblem(await read(gateway), 'budget-exhausted')
    expect((await fetch(gateway.url + statusPath(other))).status).toBe(200)
    const [first, second] = gateway.lemlist.calls
    expect(Number(second?.at) - Number(first?.at)).toBeGreaterThan(990)
  })

  it('is not asked for by Retry-After on a 200 or a 500', async () => {
    const gateway = await startIn('unknown', IMPATIENT)
    const headers = { 'Content-Type': 'application/json', 'Retry-After': '30' }
    gateway.lemlist.script({ times: 1 }, { status: 500, headers })
    gateway.lemlist.script({}, { headers, body: pendingBody() })
    expectProblem(await read(gateway), 'upstream-unavailable')
    expect((await read(gateway)).status).toBe(200)
    expect((await read(gateway)).status).toBe(200)
  })

  it('is not asked for by a 503 without a time', async () => {
    const gateway = await startIn('unknown', IMPATIENT)
    gateway.lemlist.script({ times: 1 }, { status: 503, headers: {} })
    gateway.lemlist.script({}, { body: pendingBody() })
    expectProblem(await read(gateway), 'upstream-unavailable')
    expect((await read(gateway)).status).toBe(200)
  })
})
