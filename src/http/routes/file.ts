import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { FileAnswer } from '../../exports/ports.ts'
import { Problem } from '../../problems.ts'
import { callerGone } from '../caller-gone.ts'
import { sendDownload } from '../download.ts'
import { countedAs, type Entry } from '../entry.ts'
import {
  ACCESS_PROBLEMS,
  COMMON_PROBLEMS,
  FILE_HEADERS,
  nothing,
  problemResponses,
  RANGE_HEADERS,
} from '../openapi/responses.ts'
import { csvText, exportParams, fileHeaders } from '../openapi/schemas.ts'
import { SECURITY } from '../openapi/security.ts'

interface FileRouteOptions {
  readonly entry: Pick<Entry, 'enter'>
  /** The gateway cuts a caller that takes no byte for this long, milliseconds. Default 30 s. */
  readonly stuckMs?: number
}

const csv = (description: string) => ({
  description,
  headers: FILE_HEADERS,
  content: {
    'text/csv': {
      schema: csvText,
      examples: { leads: { value: 'email,firstName\nada@example.com,Ada\n' } },
    },
  },
})

const schema = {
  operationId: 'downloadExport',
  tags: ['exports'],
  summary: 'Download the CSV of an export',
  description:
    "Streams lemlist's file to the caller, unchanged. The caller needs no lemlist credential. When the transfer from lemlist breaks off, the gateway breaks the caller's connection, so that an incomplete file is noticed. The gateway does not change any cell: a spreadsheet may take a cell that begins with `=` for a formula.",
  params: exportParams,
  headers: fileHeaders,
  security: SECURITY.credentialOrTicket,
  response: {
    200: csv('The whole file.'),
    206: csv('The range that the caller asked for.'),
    416: nothing('The file has no such range.', RANGE_HEADERS),
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
      ...ACCESS_PROBLEMS,
      'rate-limited',
      'export-not-found',
      'campaign-not-found',
      'export-timed-out',
      'export-not-ready',
      'export-failed',
      'export-expired',
      'upstream-invalid',
      'upstream-credentials',
      'upstream-unavailable',
      'budget-exhausted',
      'overloaded',
      'upstream-timeout',
    ),
  },
} as const

/**
 * A single range. Several ranges are ignored: they need a multipart answer, and a caller could use
 * them to ask for the same bytes many times.
 */
const SINGLE_RANGE = /^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$/
const STUCK_MS = 30_000
const PATH = '/campaigns/:campaignId/export/:exportId/file'

export const fileRoute = (app: FastifyInstance, options: FileRouteOptions) => {
  const { entry, stuckMs = STUCK_MS } = options
  app
    .withTypeProvider<ZodTypeProvider>()
    .get(PATH, { schema, config: { takesTicket: true } }, async (request, reply) => {
      const { params } = request
      const gone = callerGone(reply.raw)
      if (request.method === 'GET') {
        request.notes.deed = {
          action: 'download',
          campaign: params.campaignId,
          export: params.exportId,
        }
      }
      const { account, caller, ref } = entry.enter(request, 'file', params)
      const answer = await account.files
        .open(ref, rangeOf(request), gone, countedAs(caller))
        .catch((error: unknown) => {
          if (!gone.aborted) throw error
        })
      // From here on the route writes the response itself. Fastify would answer 500 for a file that
      // breaks off early.
      reply.hijack()
      // The caller has left, and that aborted the call. No trouble of lemlist is logged.
      if (answer === undefined) return
      describe(request, reply, params.exportId, answer)
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value)
      }
      if (request.method === 'HEAD' || answer.status === 416) {
        answer.body.destroy()
        reply.raw.end()
        return
      }
      const onBreak = (cause: unknown) => {
        const detail = 'The file from lemlist broke off.'
        request.notes.problem = new Problem('upstream-unavailable', detail, { cause })
      }
      sendDownload(reply.raw, answer.body, { stuckMs, onBreak })
    })
}

/**
 * The range to ask lemlist for. A range counts for a GET only (RFC 9110, 14.2). It is ignored
 * together with `If-Range`: the route sends no validator that such a condition could match.
 */
const rangeOf = ({ method, headers }: FastifyRequest): string | undefined => {
  const { range } = headers
  const isOne =
    method === 'GET' && headers['if-range'] === undefined && SINGLE_RANGE.test(range ?? '')
  return isOne ? range : undefined
}

const describe = (
  { id }: FastifyRequest,
  reply: FastifyReply,
  exportId: string,
  { status, length, range, servesRanges }: FileAnswer,
): void => {
  reply
    .code(status)
    .header('cache-control', 'private, no-store')
    .header('content-security-policy', "default-src 'none'; sandbox")
    .header('x-content-type-options', 'nosniff')
    .header('x-request-id', id)
  // A client that resumes a download trusts this header, so it is sent only when it is true.
  if (servesRanges) reply.header('accept-ranges', 'bytes')
  if (range !== undefined) reply.header('content-range', range)
  if (status === 416) {
    reply.header('content-length', '0')
    return
  }
  reply
    .type('text/csv; charset=utf-8')
    // The name is made of the export id, which was checked. Nothing of lemlist's gets into a
    // header.
    .header('content-disposition', `attachment; filename="export_${exportId}.csv"`)
  if (length !== undefined) reply.header('content-length', String(length))
}
