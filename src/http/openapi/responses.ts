import { z } from 'zod'
import { PROBLEMS, type ProblemCode } from '../../problems.ts'
import { problemDocument } from './schemas.ts'

/** Pieces of the OpenAPI document that several routes share. */

interface HeaderDoc {
  readonly description: string
  readonly type: 'string' | 'integer'
  readonly example?: string | number
}
export type HeaderDocs = Readonly<Record<string, HeaderDoc>>

const text = (description: string, example?: string): HeaderDoc => ({
  description,
  type: 'string',
  ...(example !== undefined && { example }),
})
const integer = (description: string, example: number): HeaderDoc => ({
  description,
  type: 'integer',
  example,
})

export const REQUEST_ID: HeaderDocs = {
  'X-Request-Id': text(
    "The caller's own id if it is a token of at most 64 characters, else a new one. The log has it, too.",
    'b1c9e7de-6a0c-4f0e-8a59-d2a6c9f0b7c4',
  ),
}

/** Headers of the gateway's own files. */
export const STATIC_HEADERS: HeaderDocs = {
  ETag: text('A strong ETag, made from the content.', '"kq3N1sZbq1bqXn0q9y0o9w"'),
  'Cache-Control': text(
    '`no-cache`: the client may keep the file, and must ask each time whether it has changed.',
    'no-cache',
  ),
}

export const VARY_ENCODING: HeaderDocs = {
  Vary: text('The file has a compressed form.', 'Accept-Encoding'),
}

export const COMPRESSED_HEADERS: HeaderDocs = {
  ...VARY_ENCODING,
  'Content-Encoding': text('`gzip` for a client that takes it.', 'gzip'),
}

export const RETRY_AFTER: HeaderDocs = {
  'Retry-After': integer('Seconds after which the next try makes sense.', 5),
}

export const STATUS_HEADERS: HeaderDocs = {
  ETag: text('A strong ETag, made from the content.', '"kq3N1sZbq1bqXn0q9y0o9w"'),
  'Cache-Control': text(
    'For a final status `private, max-age=`: `Age` plus the seconds that the gateway still keeps it, of these at most 3600. A cache subtracts `Age`. Else `no-store`.',
    'private, max-age=3600',
  ),
  Age: integer('Seconds since lemlist gave this status.', 0),
  'Cache-Status': text(
    'RFC 9211. `hit`: from the cache. `fwd=miss`: from lemlist; with `stored` the gateway keeps the answer, with `collapsed` this read shared the call of another read. `hit; detail=STALE`: the last pending status, because lemlist is in trouble.',
    'lemlist-gateway; hit; ttl=86000',
  ),
  'Retry-After': integer('Only while pending: seconds after which the next read is worthwhile.', 5),
  Vary: text(
    'Only for a final status of a gateway that tells callers or accounts apart.',
    'Authorization, X-Api-Key, X-Lemlist-Account',
  ),
  Link: text(
    'The stream of changes (`rel="monitor"`) and, when the export is done, the CSV (`rel="enclosure"`), relative to the URL of the request.',
    '<events>; rel="monitor"; type="text/event-stream"',
  ),
  ...REQUEST_ID,
}

export const LIST_HEADERS: HeaderDocs = {
  ETag: text('A strong ETag, made from the content.', '"kq3N1sZbq1bqXn0q9y0o9w"'),
  'Cache-Control': text('`no-store`.', 'no-store'),
  Link: text(
    'The stream of the changes of the campaign (`rel="monitor"`), relative to the URL of the request.',
    '<events>; rel="monitor"; type="text/event-stream"',
  ),
  ...REQUEST_ID,
}

export const START_HEADERS: HeaderDocs = {
  Location: text(
    'The URL of the status of the new export, relative to the URL of the request.',
    'axp_Vv6lJOc8NlVVmDud5/status',
  ),
  Link: text(
    'The stream of its changes (`rel="monitor"`), relative to the URL of the request.',
    '<axp_Vv6lJOc8NlVVmDud5/events>; rel="monitor"; type="text/event-stream"',
  ),
  'Cache-Control': text('`no-store`.', 'no-store'),
  ...REQUEST_ID,
}

export const FILE_HEADERS: HeaderDocs = {
  'Content-Disposition': text(
    'A file name that is made from the export id.',
    'attachment; filename="export_axp_Vv6lJOc8NlVVmDud5.csv"',
  ),
  'Content-Length': integer('Length in bytes, if lemlist says it.', 23_654),
  'Content-Range': text('Only with 206: the range that is sent.', 'bytes 0-1023/23654'),
  'Accept-Ranges': text('`bytes`, when lemlist is known to serve parts of the file.', 'bytes'),
  'Cache-Control': text(
    '`private, no-store`, because leads are personal data.',
    'private, no-store',
  ),
  ...REQUEST_ID,
}

export const TICKET_HEADERS: HeaderDocs = {
  'Cache-Control': text('`no-store`.', 'no-store'),
  ...REQUEST_ID,
}

/** Headers of a 416. */
export const RANGE_HEADERS: HeaderDocs = {
  'Content-Range': text('The length of the file, if lemlist says it.', 'bytes */23654'),
  'Accept-Ranges': text('`bytes`.', 'bytes'),
  ...REQUEST_ID,
}

const ALLOW: HeaderDocs = {
  Allow: text('The methods that the route has.', 'GET, HEAD'),
}

const CHALLENGE: HeaderDocs = {
  'WWW-Authenticate': text(
    'RFC 6750. `error="invalid_token"` when the credential is unknown, expired or malformed.',
    'Bearer error="invalid_token"',
  ),
}

/** An example of each problem, as a caller gets it. */
const exampleOf = (code: ProblemCode) => ({
  summary: PROBLEMS[code].title,
  value: {
    type: `urn:lemlist-export-gateway:problem:${code}`,
    title: PROBLEMS[code].title,
    status: PROBLEMS[code].status,
    detail: `${PROBLEMS[code].title}.`,
    instance: 'b1c9e7de-6a0c-4f0e-8a59-d2a6c9f0b7c4',
    code,
    retryable: PROBLEMS[code].retryable,
  },
})

/** The response entries for the problems that a route may answer, one per HTTP status. */
export const problemResponses = (...codes: readonly ProblemCode[]) => {
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
        headers: {
          ...REQUEST_ID,
          ...(status === 405 && ALLOW),
          ...(status === 401 && CHALLENGE),
          ...((status === 503 || status === 409 || status === 429) && RETRY_AFTER),
        },
        content: {
          'application/problem+json': {
            schema: problemDocument,
            examples: Object.fromEntries(group.map((code) => [code, exampleOf(code)])),
          },
        },
      },
    ]),
  )
}

/** Problems that every route may answer, because they come from the request itself. */
export const COMMON_PROBLEMS = [
  'invalid-request',
  'method-not-allowed',
  'request-timeout',
  'uri-too-long',
  'misdirected-request',
  'header-too-large',
  'internal',
] as const satisfies readonly ProblemCode[]

/** Problems of every route that wants a credential. */
export const ACCESS_PROBLEMS = [
  'unauthenticated',
  'forbidden',
] as const satisfies readonly ProblemCode[]

/** Marks an answer without a body. document.ts removes the mark from the document. */
export const NO_CONTENT = 'none/none'

/** An answer without a body. */
export const nothing = (description: string, headers: HeaderDocs) => ({
  description,
  headers,
  content: { [NO_CONTENT]: { schema: z.undefined() } },
})

interface StreamWords {
  /** What the data and the id of a `status` are. */
  readonly status: string
  /** What comes after a `gone`. */
  readonly afterGone: string
  /** The data of `end`. */
  readonly end: string
}

const describeStream = ({ status, afterGone, end }: StreamWords): string => `| event | data | then |
|---|---|---|
| \`status\` | ${status} | sent at connect and at every change |
| \`problem\` | a \`Problem\` with \`campaignId\` and \`exportId\`: trouble that passes | the stream goes on; the next \`status\` ends the trouble |
| \`gone\` | like \`problem\`, with the code \`export-not-found\`, \`campaign-not-found\`, \`export-timed-out\` or \`export-expired\`: the export is over without a final status | ${afterGone} |
| \`end\` | ${end} | the stream ends cleanly |

After \`end\` the response ends cleanly, and a reconnect is answered 204. Any other end asks the client to reconnect after the time that \`retry:\` said: an abrupt one, or a clean one with \`SSE_CUT=clean\`. Trouble that passes is told in the stream and never by an HTTP status, because any status other than 200 ends a browser's EventSource for good.`

/** What the stream of one export promises. */
export const ONE_EXPORT_STREAM = describeStream({
  status: "lemlist's JSON (schema `ExportStatus`); `id:` is its version",
  afterGone: '`end` follows',
  end: '`{"reason": "done"}`, `"error"` or `"gone"`',
})

/** What the stream of many exports promises. */
export const MANY_EXPORTS_STREAM = describeStream({
  status:
    '`{"campaignId", "exportId", "body"}`, where `body` is lemlist\'s JSON (schema `ExportStatus`); `id:` names the state of all exports',
  afterGone: 'the other exports go on; `end` follows when all are over',
  end: '`{"reason": "complete"}`',
})

/** What the stream of a campaign promises. */
export const CAMPAIGN_STREAM = `| event | data | then |
|---|---|---|
| \`status\` | \`{"campaignId", "exportId", "body"}\`, where \`body\` is lemlist's JSON (schema \`ExportStatus\`); \`id:\` names the state of all exports | sent at connect and at every change |
| \`problem\` | a \`Problem\` with \`campaignId\` and \`exportId\`: trouble that passes | the next \`status\` ends the trouble |
| \`gone\` | like \`problem\`, with the code \`export-timed-out\`, \`export-not-found\`, \`campaign-not-found\` or \`export-expired\`: the export is over without a final status | the other exports go on |

A client that reconnects with its \`Last-Event-ID\` is told only what has changed. A stream tells of 200 exports at once. When there are more, those leave first whose end the client was told. How a stream breaks off, and how trouble that passes is told, is as with many exports.`
