import { describe, expect, it } from 'vitest'
import type { ProblemCode } from '../../../src/problems.ts'
import type { ScriptedAnswer } from '../../../src/sandbox/scripted-answers.ts'
import { START_EXAMPLE } from '../../helpers/documented-answers.ts'
import { CANARY, expectProblem, spiked } from '../../helpers/faults.ts'
import { statusPath } from '../../helpers/gateway.ts'
import {
  CAMPAIGN,
  isStart,
  type StartAnswer,
  start,
  startGatewayWithCampaign,
} from '../../helpers/starts.ts'

/** Starts that lemlist does not answer well. The gateway makes one call and answers a problem. */

interface Fault {
  readonly name: string
  readonly answer: ScriptedAnswer
  readonly code: ProblemCode
  readonly retryAfter?: boolean
}

/**
 * After these problems of a start without a key, lemlist may have begun an export. A repeat may
 * begin a second one, so the answer must not invite the caller to repeat.
 */
const OPEN: readonly ProblemCode[] = [
  'upstream-invalid',
  'upstream-unavailable',
  'upstream-timeout',
]

const expectTold = (answer: StartAnswer, code: ProblemCode): void => {
  const open = OPEN.includes(code)
  expectProblem(answer, code, open ? false : undefined)
  expect(/may have begun/.test(JSON.parse(answer.text).detail)).toBe(open)
  if (open) expect(answer.headers.get('retry-after')).toBeNull()
}

const text = (status: number, body: string, code: ProblemCode): Fault => ({
  name: `${status} ${body.slice(0, 30)}`,
  answer: { status, headers: { 'Content-Type': 'text/plain' }, body: `${body} ${CANARY}` },
  code,
  retryAfter: code === 'budget-exhausted',
})
const REFUSALS: Fault[] = [
  text(400, 'Bad team', 'campaign-not-found'),
  text(404, 'Campaign not found', 'campaign-not-found'),
  text(404, 'something else is not found', 'campaign-not-found'),
  text(400, 'no api key provided', 'upstream-credentials'),
  text(401, 'The authentication you supplied is incorrect', 'upstream-credentials'),
  text(403, 'User linked to this API key is blocked', 'upstream-credentials'),
  text(404, 'No user found for this API key', 'upstream-credentials'),
  text(400, 'Bad request', 'upstream-invalid'),
  text(405, 'Bad method', 'upstream-invalid'),
  text(409, 'Conflict', 'upstream-invalid'),
  text(429, 'Too Many Requests', 'budget-exhausted'),
  text(500, 'oops', 'upstream-unavailable'),
  text(502, 'oops', 'upstream-unavailable'),
  text(503, 'oops', 'upstream-unavailable'),
  {
    name: '302 to itself',
    answer: { status: 302, headers: { Location: `/api/campaigns/${CAMPAIGN}/export/start` } },
    code: 'upstream-invalid',
  },
]

const started = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ ...JSON.parse(START_EXAMPLE), campaignId: CAMPAIGN, ...fields })
const garbage = (name: string, body: string, headers = {}): Fault => ({
  name: `200 with ${name}`,
  answer: { headers: { 'Content-Type': 'application/json', ...headers }, body },
  code: 'upstream-invalid',
})
const GARBAGE: Fault[] = [
  garbage('nothing', ''),
  garbage('{}', '{}'),
  garbage('null', 'null'),
  garbage('a list', `[${started({})}]`),
  garbage('half an object', started({}).slice(0, 60)),
  garbage('a page', `<!DOCTYPE html>${CANARY}`, { 'Content-Type': 'text/html' }),
  garbage('JSON called a page', started({}), { 'Content-Type': 'text/html' }),
  garbage('JSON without a type', started({}), { 'Content-Type': [] }),
  garbage('an encoding', started({}), { 'Content-Encoding': 'gzip' }),
  garbage('ok: false', '{"ok": false, "message": "An error occurred"}'),
  garbage('a wrapped status', `{"ok":true,"status":${started({})}}`),
  garbage('no id', started({ id: undefined, _id: undefined })),
  garbage('an id that is none', started({ id: '../../team', _id: undefined })),
  garbage('an id that is a number', started({ id: 7, _id: 7 })),
  garbage('two ids', started({ id: 'axp_One', _id: 'axp_Two' })),
  garbage('another campaign', started({ campaignId: 'cam_Another' })),
  garbage('more than 16 KiB', started({ note: CANARY.repeat(1_500) })),
]

describe('a start that lemlist answers with', () => {
  it.each([...REFUSALS, ...GARBAGE])('$name is told as $code, after one call', async (fault) => {
    const gateway = await startGatewayWithCampaign()
    gateway.lemlist.script({ operation: 'start' }, spiked(fault.answer))
    const answer = await start(gateway)
    expectTold(answer, fault.code)
    expect(answer.headers.has('retry-after')).toBe(fault.retryAfter ?? false)
    expect(JSON.stringify([...answer.headers]) + answer.text).not.toContain(CANARY)
    expect(answer.headers.get('location')).toBeNull()
    expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(1)
  })
})

const BROKEN: Fault[] = [
  { name: 'a reset', answer: { reset: 'before-headers' }, code: 'upstream-unavailable' },
  {
    name: 'a reset in its headers',
    answer: { reset: 'mid-headers' },
    code: 'upstream-unavailable',
  },
  { name: 'a reset in its body', answer: { reset: 'mid-body' }, code: 'upstream-unavailable' },
  { name: 'a close', answer: { raw: '' }, code: 'upstream-unavailable' },
  { name: 'half of its body', answer: { truncateAt: 40 }, code: 'upstream-unavailable' },
  { name: 'no HTTP', answer: { raw: 'hello\r\n\r\n' }, code: 'upstream-invalid' },
  { name: 'silence', answer: { hang: true }, code: 'upstream-timeout' },
]

describe.each([
  ['new', false],
  ['used before', true],
])('on a socket that is %s, a start that is answered by', (_, reused) => {
  it.each(BROKEN)('$name is told as $code, without a second call', async ({ answer, code }) => {
    const gateway = await startGatewayWithCampaign({ LEMLIST_TIMEOUT_MS: '400' })
    const { lemlist, url } = gateway
    const ref = lemlist.add({ campaignId: CAMPAIGN })
    // This makes the socket a used one. A status call would be repeated after a reset of such a
    // socket.
    if (reused) await (await fetch(url + statusPath(ref))).text()
    lemlist.script({ operation: 'start' }, answer)
    // Regression: `retryable: true` and `Retry-After: 5`. A caller that obeyed began three exports.
    expectTold(await start(gateway), code)
    await (await fetch(url + statusPath(ref))).text()
    expect(lemlist.calls.filter(isStart)).toMatchObject([{ connection: 1 }])
    expect(lemlist.calls.findIndex(isStart)).toBe(reused ? 1 : 0)
  })
})
