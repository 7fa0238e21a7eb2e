import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  CANARY,
  expectProblem,
  expectStale,
  type Fault,
  read,
  spiked,
  startIn,
} from '../../helpers/faults.ts'
import { doneBody, pendingBody, statusBody } from '../../helpers/status-bodies.ts'

const text = (status: number, body: string) => ({
  status,
  headers: { 'Content-Type': 'text/plain' },
  body,
})
const json = (status: number, body: string) => ({ status, body })
const html = (status: number) => ({
  status,
  headers: { 'Content-Type': 'text/html; charset=utf-8' },
  body: `<!DOCTYPE html><html><body>${CANARY}</body></html>`,
})

const credentials = (name: string, answer: Fault['answer']): Fault => ({
  name,
  answer,
  code: 'upstream-credentials',
})
const CREDENTIALS: Fault[] = [
  credentials('400 without a type: no api key', {
    status: 400,
    headers: {},
    body: 'no api key provided',
  }),
  credentials('400 as documented: No API key', text(400, 'No API key provided')),
  credentials('401 as text', text(401, `The authentication you supplied is incorrect ${CANARY}`)),
  credentials('401 without a body', { status: 401, headers: {} }),
  credentials('401 as JSON', json(401, `{"error":"Route unauthorized","code":"${CANARY}"}`)),
  credentials('401 as a page', html(401)),
  credentials('403 of a blocked user', text(403, 'User linked to this API key is blocked')),
  credentials('403 as a page', html(403)),
  credentials('404 of a key that has no user', text(404, 'No user found for this API key')),
]

const campaign = (name: string, answer: Fault['answer']): Fault => ({
  name,
  answer,
  code: 'campaign-not-found',
})
const unknownExport = (name: string, answer: Fault['answer']): Fault =>
  timedOut({ name, answer, code: 'export-not-found' })
/** Whatever a 404 says, an export that was seen pending before has timed out. */
const timedOut = (fault: Fault): Fault => ({ ...fault, codeAfterPending: 'export-timed-out' })
const NOT_FOUND: Fault[] = [
  campaign('400 Bad team', text(400, 'Bad team')),
  campaign('400 Bad params', text(400, 'Bad params')),
  timedOut(
    campaign('404 of the campaign, unquoted under a JSON type', json(404, 'Campaign not found')),
  ),
  timedOut(campaign('404 of the campaign as text', text(404, `Campaign not found ${CANARY}`))),
  timedOut(campaign('404 of the campaign, quoted', json(404, '"Campaign not found"'))),
  unknownExport(
    '404 of the export',
    json(404, `{"ok":false,"message":"Export with id ${CANARY} not found"}`),
  ),
  unknownExport('404 of the export as text', text(404, 'Export not found')),
  unknownExport('404 without a body', { status: 404, headers: {} }),
]

const trouble = (status: number, answer: Fault['answer'] = text(status, CANARY)): Fault => ({
  name: `${status}`,
  answer,
  code: 'upstream-unavailable',
  passing: true,
  retryAfter: true,
})
const TROUBLE: Fault[] = [
  ...[500, 501, 502, 503, 504, 520, 599].map((status) => trouble(status)),
  { ...trouble(500, json(500, '{ error: }')), name: '500 with broken JSON' },
  { ...trouble(502, html(502)), name: '502 with a page' },
  { ...trouble(500, { status: 500, body: CANARY.repeat(2_000) }), name: '500 with a huge body' },
]

const unusable = (name: string, answer: Fault['answer']): Fault => ({
  name,
  answer,
  code: 'upstream-invalid',
})
const typed = (type: string) => ({ headers: { 'Content-Type': type }, body: doneBody() })
const whole = doneBody({ canary: CANARY })
const UNUSABLE: Fault[] = [
  ...[201, 202, 204, 206, 405, 406, 409, 415, 418].map((status) =>
    unusable(`${status}`, status === 204 ? { status } : json(status, whole)),
  ),
  unusable('304', { status: 304, headers: { ETag: '"1"' } }),
  unusable('400 of another kind', text(400, `Bad request ${CANARY}`)),
  unusable('400 with a page that contains lemlist’s words', {
    ...html(400),
    body: '<p>Bad params</p>',
  }),
  // Regression: a proxy's short text, or its page after a byte order mark, was taken for lemlist's
  // "no such export".
  unusable('404 with a page', html(404)),
  unusable('404 with text that calls itself a page', {
    ...html(404),
    body: '404 page not found',
  }),
  unusable('404 with a page behind a byte order mark', {
    ...text(404, `\u{feff}<html>${CANARY}</html>`),
  }),
  unusable('200 with a page', html(200)),
  unusable('200 with JSON under another type', typed('text/plain')),
  unusable('200 with JSON that calls itself a page', typed('text/html')),
  unusable('200 with a type that only starts like JSON', typed('application/jsonp')),
  unusable('200 without a type', { headers: {}, body: doneBody() }),
  unusable('200 with two types', {
    headers: { 'Content-Type': ['application/json', 'text/html'] },
    body: doneBody(),
  }),
  unusable('200 with nothing', json(200, '')),
  unusable('200 with bare text', json(200, `Contact subscription updated ${CANARY}`)),
  unusable('200 with half of the JSON', json(200, whole.slice(0, -20))),
  unusable('200 with two documents', json(200, whole + whole)),
  unusable('200 with a byte order mark', json(200, `\u{feff}${whole}`)),
  unusable('200 in bytes that are no UTF-8', {
    body: Buffer.concat([Buffer.from('{"ok":true,"x":"'), Buffer.from([0xff]), Buffer.from('"}')]),
  }),
  ...['null', 'true', '7', '""', '[]', '{}', `[${whole}]`].map((body) =>
    unusable(`200 with ${body.slice(0, 5)}`, json(200, body)),
  ),
  unusable('200 that says it is not ok', json(200, whole.replace('"ok":true', '"ok":false'))),
  unusable(
    '200 with the bare object of a start',
    json(200, JSON.stringify(JSON.parse(whole).status)),
  ),
  ...[null, 'done', [], 7].map((status) =>
    unusable(`200 with ${JSON.stringify(status)} for a status`, {
      body: JSON.stringify({ ok: true, status }),
    }),
  ),
  ...[undefined, null, 7, true, {}, ['done']].map((state) =>
    unusable(`200 with ${JSON.stringify(state)} for a state`, { body: statusBody(state) }),
  ),
  unusable('200 of another export', { body: doneBody({ id: 'axp_Foreign000000001' }) }),
  unusable('200 of another export by its _id', { body: doneBody({ _id: 'axp_Foreign000000001' }) }),
  unusable('200 of another campaign', { body: doneBody({ campaignId: 'cam_Foreign' }) }),
  unusable('200 with a number for an id', { body: doneBody({ id: 7 }) }),
  unusable('200 whose second id is another', {
    body: doneBody().replace('"teamId"', '"id":"axp_Foreign000000001","teamId"'),
  }),
  unusable('200 over 16 KiB', { body: doneBody({ filler: 'x'.repeat(16 * 1024) }) }),
  unusable('200 over 16 KiB by blanks alone', { body: doneBody().padEnd(16 * 1024 + 1) }),
  unusable('200 of 8 MiB', { body: doneBody({ filler: 'x'.repeat(8 * 1024 ** 2) }) }),
  unusable('200 in gzip', {
    headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    body: gzipSync(whole),
  }),
  unusable('200 in gzip that does not say so', { body: gzipSync(whole) }),
  unusable('200 that says it is in Brotli but is not', {
    headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'br' },
    body: whole,
  }),
]

const FAULTS = [...CREDENTIALS, ...NOT_FOUND, ...TROUBLE, ...UNUSABLE]

const expectRetryAfter = (headers: Headers, said: boolean | undefined) => {
  if (said) expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  else expect(headers.get('retry-after')).toBeNull()
}

describe('an export that nobody has seen, when lemlist answers', () => {
  it.each(FAULTS)('$name: $code, nothing echoed, nothing cached', async (fault) => {
    const gateway = await startIn('unknown')
    gateway.lemlist.script({ times: 1 }, spiked(fault.answer))
    const answer = await read(gateway)
    expectProblem(answer, fault.code)
    expectRetryAfter(answer.headers, fault.retryAfter)
    gateway.lemlist.script({ times: 1 }, { body: pendingBody() })
    expect((await read(gateway)).text).toBe(pendingBody())
    expect(gateway.lemlist.calls).toHaveLength(2)
  })
})

describe('an export that was seen pending, when lemlist answers', () => {
  it.each(FAULTS)(
    '$name: the old observation when the trouble passes, else a problem',
    async (fault) => {
      const gateway = await startIn('pending')
      gateway.lemlist.script({ times: 1 }, spiked(fault.answer))
      const answer = await read(gateway)
      if (fault.passing) expectStale(answer)
      else expectProblem(answer, fault.codeAfterPending ?? fault.code)
      gateway.lemlist.script({ times: 1 }, { body: doneBody() })
      expect(JSON.parse((await read(gateway)).text)).toMatchObject({ status: { status: 'done' } })
      expect(gateway.lemlist.calls).toHaveLength(2)
    },
  )
})

describe('an export that was seen done, when lemlist would answer', () => {
  it.each(FAULTS)('$name: is not asked for again', async (fault) => {
    const gateway = await startIn('done')
    gateway.lemlist.script({}, spiked(fault.answer))
    const answer = await read(gateway)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-status')).toMatch(/^lemlist-gateway; hit; ttl=\d+$/)
    expect(gateway.lemlist.calls).toEqual([])
  })
})
