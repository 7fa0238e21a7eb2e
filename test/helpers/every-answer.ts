import { filePath } from './downloads.ts'
import { eventsPath, manyEventsPath, statusPath } from './gateway.ts'
import { CAMPAIGN, startPath } from './starts.ts'

/** Requests that together get an answer of every kind, from each place that writes one. */

export interface Exchange {
  readonly name: string
  readonly status: number
  readonly target: string
  readonly method?: string
  /** Header lines, as `Name: value`. */
  readonly headers?: readonly string[]
  readonly body?: string
}

export const DONE = { campaignId: CAMPAIGN, exportId: 'axp_Done00000000001' }
export const PENDING = { campaignId: CAMPAIGN, exportId: 'axp_Pending00000001' }
const UNKNOWN = { campaignId: CAMPAIGN, exportId: 'axp_Unknown00000001' }
export const STATUS = statusPath(DONE)

const MATCHES = ['If-None-Match: *']
const SEEN = ['Last-Event-ID: gone.export-not-found']
export const LONG = `X-A: ${'a'.repeat(17_000)}`

export const ANSWERS: readonly Exchange[] = [
  { name: 'a final status', status: 200, target: STATUS },
  { name: 'a pending status', status: 200, target: statusPath(PENDING) },
  { name: 'the head of a status', status: 200, target: STATUS, method: 'HEAD' },
  { name: 'a status that has not changed', status: 304, target: STATUS, headers: MATCHES },
  { name: 'the exports of a campaign', status: 200, target: `/campaigns/${CAMPAIGN}/exports` },
  { name: 'a file', status: 200, target: filePath(DONE) },
  { name: 'a part of a file', status: 206, target: filePath(DONE), headers: ['Range: bytes=0-9'] },
  { name: 'no such part', status: 416, target: filePath(DONE), headers: ['Range: bytes=999999-'] },
  { name: 'the head of a file', status: 200, target: filePath(DONE), method: 'HEAD' },
  { name: 'the events of an export', status: 200, target: eventsPath(DONE) },
  { name: 'the events of two', status: 200, target: manyEventsPath([DONE, UNKNOWN]) },
  { name: 'a stream that is over', status: 204, target: eventsPath(UNKNOWN), headers: SEEN },
  { name: 'a start', status: 201, target: startPath(), method: 'POST' },
  { name: 'the OpenAPI document', status: 200, target: '/openapi.json' },
  { name: 'the client', status: 200, target: '/client.js' },
  { name: 'a client that has not changed', status: 304, target: '/client.js', headers: MATCHES },
  { name: 'health', status: 200, target: '/health/ready' },
  { name: 'the page', status: 200, target: '/' },
  { name: 'Swagger UI', status: 200, target: '/docs/' },
  { name: 'a file of Swagger UI', status: 200, target: '/docs/static/swagger-ui.css' },
  { name: 'a redirect', status: 302, target: '/docs' },
]

export const PROBLEMS: readonly Exchange[] = [
  { name: 'an unknown export', status: 404, target: statusPath(UNKNOWN) },
  { name: 'the events of an unknown export', status: 404, target: eventsPath(UNKNOWN) },
  { name: 'a malformed id', status: 400, target: '/campaigns/x/export/y/status' },
  { name: 'the file of a pending export', status: 409, target: filePath(PENDING) },
  {
    ...{ name: 'another type than events', status: 406, target: eventsPath(DONE) },
    headers: ['Accept: application/json'],
  },
  { name: 'an unknown route', status: 404, target: '/nowhere' },
  { name: 'a wrong method', status: 405, target: STATUS, method: 'DELETE' },
  { name: 'OPTIONS without a question', status: 405, target: STATUS, method: 'OPTIONS' },
  { name: 'a URL that is too long', status: 414, target: `${STATUS}?${'q'.repeat(3_000)}` },
  { name: 'broken percent-encoding', status: 400, target: '/campaigns/%zz/export/y/status' },
  { name: 'another host', status: 421, target: `http://other.example${STATUS}` },
  { name: 'the server itself', status: 404, target: '*', method: 'OPTIONS' },
  {
    ...{ name: 'a body of a GET', status: 400, target: STATUS },
    ...{ headers: ['Content-Length: 1'], body: 'x' },
  },
  {
    ...{ name: 'a body that is too large', status: 413, target: startPath(), method: 'POST' },
    ...{ headers: ['Content-Length: 17000'], body: 'x'.repeat(17_000) },
  },
  // Node's parser refuses these three. They never become a request.
  { name: 'headers that are too large', status: 431, target: STATUS, headers: [LONG] },
  { name: 'a header with a NUL', status: 400, target: STATUS, headers: ['X-A: \0'] },
  {
    ...{ name: 'two lengths', status: 400, target: STATUS },
    headers: ['Content-Length: 1', 'Content-Length: 2'],
  },
]
