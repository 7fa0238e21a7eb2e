import { beforeAll, describe, expect, it } from 'vitest'
import { BOUNDLESS } from '../helpers/faults.ts'
import { eventsPath, manyEventsPath, sharedGateway, statusPath } from '../helpers/gateway.ts'
import { createJudges, type Judge } from '../helpers/json-schema.ts'
import { DOCUMENT, OPERATIONS } from '../helpers/openapi.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { CAMPAIGN, startPath } from '../helpers/starts.ts'

/** Real answers of every route, judged by the document, as a proxy that validates would do. */

const DONE = { campaignId: CAMPAIGN, exportId: 'axp_Done00000000001' }
const PENDING = { campaignId: CAMPAIGN, exportId: 'axp_Pending00000001' }
const UNKNOWN = { campaignId: CAMPAIGN, exportId: 'axp_Unknown00000001' }
const ODD = { campaignId: CAMPAIGN, exportId: 'axp_Odd000000000001' }
const fileOf = (ref: typeof DONE) => statusPath(ref).replace(/status$/, 'file')

type Asked = readonly [operation: string, path: string, status: number, init?: RequestInit]

const STATUS = '/campaigns/{campaignId}/export/{exportId}/status'
const LIST = '/campaigns/{campaignId}/exports'
const listOf = ({ campaignId }: typeof DONE, query = '') =>
  `/campaigns/${campaignId}/exports${query}`
const CAMPAIGN_EVENTS = '/campaigns/{campaignId}/events'
const campaignEventsOf = ({ campaignId }: typeof DONE) => `/campaigns/${campaignId}/events`
const FILE = '/campaigns/{campaignId}/export/{exportId}/file'
const EVENTS = '/campaigns/{campaignId}/export/{exportId}/events'
const START = '/campaigns/{campaignId}/export/start'
const headers = (given: Record<string, string>): RequestInit => ({ headers: given })
const HEAD: RequestInit = { method: 'HEAD' }
const POST: RequestInit = { method: 'POST' }
const POST_TEXT: RequestInit = { method: 'POST', body: 'text' }
const json = (body: unknown): RequestInit => ({
  ...{ method: 'POST', body: JSON.stringify(body) },
  headers: { 'Content-Type': 'application/json' },
})

const PLAIN = ['/', '/client.js', '/client.d.ts', '/openapi.json', '/openapi.yaml', '/health/live']
const ASKED: readonly Asked[] = [
  [`GET ${STATUS}`, statusPath(DONE), 200],
  [`GET ${STATUS}`, statusPath(DONE), 304, headers({ 'If-None-Match': '*' })],
  [`GET ${STATUS}`, statusPath(PENDING), 200],
  [`GET ${STATUS}`, statusPath(ODD), 200],
  [`GET ${STATUS}`, statusPath(UNKNOWN), 404],
  [`GET ${STATUS}`, statusPath({ ...DONE, exportId: 'no-id' }), 400],
  [`GET ${STATUS}`, `${statusPath(DONE)}?${'x'.repeat(3_000)}`, 414],
  [`HEAD ${STATUS}`, statusPath(DONE), 200, HEAD],
  [`HEAD ${STATUS}`, statusPath(UNKNOWN), 404, HEAD],
  [`GET ${LIST}`, listOf(DONE, '?limit=100'), 200],
  [`GET ${LIST}`, listOf({ ...DONE, campaignId: 'cam_Empty' }), 200],
  [`GET ${LIST}`, listOf(DONE), 304, headers({ 'If-None-Match': '*' })],
  [`GET ${LIST}`, listOf({ ...DONE, campaignId: 'no-id' }), 400],
  [`GET ${LIST}`, listOf(DONE, '?limit=0'), 400],
  [`HEAD ${LIST}`, listOf(DONE), 200, HEAD],
  [`GET ${FILE}`, fileOf(DONE), 200],
  [`GET ${FILE}`, fileOf(DONE), 206, headers({ Range: 'bytes=0-9' })],
  [`GET ${FILE}`, fileOf(DONE), 416, headers({ Range: 'bytes=999999-' })],
  [`GET ${FILE}`, fileOf(PENDING), 409],
  [`HEAD ${FILE}`, fileOf(DONE), 200, HEAD],
  [`GET ${EVENTS}`, eventsPath(DONE), 200],
  [`GET ${EVENTS}`, eventsPath(UNKNOWN), 404],
  [
    `GET ${EVENTS}`,
    eventsPath(UNKNOWN),
    204,
    headers({ 'Last-Event-ID': 'gone.export-not-found' }),
  ],
  [`GET ${EVENTS}`, eventsPath(DONE), 406, headers({ Accept: 'application/json' })],
  [`GET ${CAMPAIGN_EVENTS}`, campaignEventsOf(DONE), 406, headers({ Accept: 'text/csv' })],
  [`GET ${CAMPAIGN_EVENTS}`, campaignEventsOf({ ...DONE, campaignId: 'no-id' }), 400],
  ['GET /events', manyEventsPath([DONE, UNKNOWN]), 200],
  ['GET /events', '/events', 400],
  [`POST ${START}`, startPath(), 201, POST],
  [`POST ${START}`, startPath('cam_Nobody'), 404, POST],
  ['POST /tickets', '/tickets', 201, json({ campaigns: [CAMPAIGN] })],
  ['POST /tickets', '/tickets', 400, json({ campaigns: ['no-id'] })],
  ['POST /tickets', '/tickets', 415, POST_TEXT],
  ...PLAIN.flatMap((path): Asked[] => [
    [`GET ${path}`, path, 200],
    [`HEAD ${path}`, path, 200, HEAD],
  ]),
  ['GET /client.js', '/client.js', 304, headers({ 'If-None-Match': '*' })],
  ['GET /', '/', 304, headers({ 'If-None-Match': '*' })],
  ['GET /health/ready', '/health/ready', 200],
  ['HEAD /health/ready', '/health/ready', 200, HEAD],
]

const operationOf = (name: string) => {
  const found = OPERATIONS.find((one) => one.name === name)?.operation
  if (found === undefined) throw new Error(`the document has no ${name}`)
  return found
}

/** A media type without its parameters. */
const essenceOf = (type: string): string => type.split(';', 1)[0] ?? ''

const schemaIn = (schema: unknown): object => {
  if (typeof schema !== 'object' || schema === null) throw new Error('no schema')
  return schema
}

const bodyOf = (type: string, text: string): unknown =>
  /[/+]json$/.test(type) ? JSON.parse(text) : text

describe('by the document', () => {
  const gateway = sharedGateway({
    env: { ...BOUNDLESS, DOCS: 'true' },
    lemlist: { rateLimit: UNLIMITED },
  })
  let judgeBy: (schema: object) => Judge
  beforeAll(async () => {
    judgeBy = await createJudges(DOCUMENT)
    const { lemlist } = gateway()
    lemlist.add({ ...DONE, durationMs: 0 })
    lemlist.add({ ...PENDING, durationMs: 3_600_000 })
    const odd = { status: 'pending', total: 1.5, url: null, progress: -1, startedAt: 'soon' }
    lemlist.script(
      { operation: 'status', exportId: ODD.exportId },
      {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ok: true, status: odd }),
      },
    )
  })

  const cases = ASKED.map(([name, path, status, init]) => ({ name, path, status, init }))
  it.each(cases)('$name: $path answers $status', async ({ name, path, status, init }) => {
    const answer = await fetch(gateway().url + path, { redirect: 'manual', ...init })
    const text = await answer.text()
    expect(answer.status, text).toBe(status)
    const documented = operationOf(name).responses[String(status)]
    expect(documented, 'the status is documented').toBeDefined()
    for (const [header, { schema }] of Object.entries(documented?.headers ?? {})) {
      const value = answer.headers.get(header)
      if (value === null) continue
      const judge = judgeBy(schemaIn(schema))
      expect(judge(/^\d+$/.test(value) ? Number(value) : value), header).toBeUndefined()
    }
    if (documented?.content === undefined) {
      expect(text).toBe('')
      return
    }
    const type = essenceOf(answer.headers.get('content-type') ?? '')
    const contents = Object.entries(documented.content)
    const { schema } = contents.find(([one]) => essenceOf(one) === type)?.[1] ?? {}
    expect(schema, `${type} is documented`).toBeDefined()
    expect(judgeBy(schemaIn(schema))(bodyOf(type, text))).toBeUndefined()
  })

  it('every operation is among these', () => {
    const asked = new Set(ASKED.map(([name]) => name))
    expect([...asked].toSorted()).toEqual(OPERATIONS.map(({ name }) => name).toSorted())
  })
})
