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
    "The caller's own when it is a token of at most 64 characters, else a new one. Also in the log.",
    'b1c9e7de-6a0c-4f0e-8a59-d2a6c9f0b7c4',
  ),
}

/** Of the gateway's own files. */
export const STATIC_HEADERS: HeaderDocs = {
  ETag: text('Strong, from the content.', '"kq3N1sZbq1bqXn0q9y0o9w"'),
  'Cache-Control': text('Keep it and ask each time whether it has changed.', 'no-cache'),
}

export const RETRY_AFTER: HeaderDocs = {
  'Retry-After': integer('Seconds until the next try makes sense.', 5),
}

export const STATUS_HEADERS: HeaderDocs = {
  ETag: text('Strong, from the content.', '"kq3N1sZbq1bqXn0q9y0o9w"'),
  'Cache-Control': text(
    'A final status: `private, max-age=` seconds it is kept, at most 3600. Else `no-store`.',
    'private, max-age=3600',
  ),
  Age: integer('Seconds since lemlist said so.', 0),
  'Cache-Status': text(
    'RFC 9211: `hit`, `fwd=miss` with `stored` or `collapsed`, or `detail=STALE` while lemlist is in trouble.',
    'lemlist-gateway; hit; ttl=86000',
  ),
  'Retry-After': integer('Pending only: seconds until the next look is worthwhile.', 5),
  Link: text(
    'Where changes are pushed (`rel="monitor"`) and, when done, where the CSV is (`rel="enclosure"`).',
    '</campaigns/cam_A1B2C3D4E5F6G7H8I9/export/axp_Vv6lJOc8NlVVmDud5/events>; rel="monitor"; type="text/event-stream"',
  ),
  ...REQUEST_ID,
}

export const START_HEADERS: HeaderDocs = {
  Location: text(
    'The status of the new export.',
    '/campaigns/cam_A1B2C3D4E5F6G7H8I9/export/axp_Vv6lJOc8NlVVmDud5/status',
  ),
  Link: text('Where its changes are pushed (`rel="monitor"`).'),
  'Cache-Control': text('`no-store`.', 'no-store'),
  ...REQUEST_ID,
}

export const FILE_HEADERS: HeaderDocs = {
  'Content-Disposition': text(
    'A name made of the export id.',
    'attachment; filename="export_axp_Vv6lJOc8NlVVmDud5.csv"',
  ),
  'Content-Length': integer('Bytes, when lemlist says so.', 23_654),
  'Content-Range': text('With 206.', 'bytes 0-1023/23654'),
  'Accept-Ranges': text('`bytes`.', 'bytes'),
  'Cache-Control': text('`private, no-store`: leads are personal data.', 'private, no-store'),
  ...REQUEST_ID,
}

/** With 416. */
export const RANGE_HEADERS: HeaderDocs = {
  'Content-Range': text('How long the file is, when lemlist says so.', 'bytes */23654'),
  'Accept-Ranges': text('`bytes`.', 'bytes'),
  ...REQUEST_ID,
}

const ALLOW: HeaderDocs = {
  Allow: text('The methods that the route knows.', 'GET, HEAD'),
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

/** Response entries, one per status, for the problems that a route may answer. */
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
          ...((status === 503 || status === 409) && RETRY_AFTER),
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

/** Problems that any route may answer: they come from the request itself. */
export const COMMON_PROBLEMS = [
  'invalid-request',
  'method-not-allowed',
  'request-timeout',
  'uri-too-long',
  'misdirected-request',
  'header-too-large',
  'internal',
] as const satisfies readonly ProblemCode[]

/** Marks an answer without a body; taken out of the document when it is made. */
export const NO_CONTENT = 'none/none'

/** An answer without a body. */
export const nothing = (description: string, headers: HeaderDocs) => ({
  description,
  headers,
  content: { [NO_CONTENT]: { schema: z.undefined() } },
})

/** What every event stream promises, for the descriptions of its routes. */
export const EVENT_STREAM = `| event | data | then |
|---|---|---|
| \`status\` | lemlist's JSON (schema \`ExportStatus\`); \`id:\` is its version | at connect and at every change |
| \`problem\` | a \`Problem\` with \`campaignId\` and \`exportId\`: trouble that passes | the stream goes on; a \`status\` ends the trouble |
| \`gone\` | as \`problem\`: \`export-not-found\`, \`export-timed-out\` or \`export-expired\` | \`end\` follows |
| \`end\` | \`{"reason": "done"}\`, \`"error"\`, \`"gone"\` or, with many exports, \`"complete"\` | the stream ends cleanly |

A clean end is final; a reconnect is then answered 204. An abrupt end means: come back, after the time that \`retry:\` said. Whatever passes is told in the stream and never by a status, since any status but 200 ends a browser's EventSource for good.`
