import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { DEFAULT_ACCOUNT } from '../../exports/export.ts'
import type { Files } from '../../exports/files.ts'
import type { FileAnswer } from '../../exports/ports.ts'
import { COMMON_PROBLEMS, FILE_HEADERS, problemResponses } from '../documentation.ts'
import { csvText, exportParams, fileHeaders } from '../schemas.ts'

interface FileRouteOptions {
  readonly files: Files
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
  summary: 'The CSV of an export',
  description:
    "lemlist's file, streamed through as it is; the caller needs no lemlist credential. A transfer that breaks off is incomplete: its connection breaks too. Cells are not changed: a spreadsheet may take one that begins with `=` for a formula.",
  params: exportParams,
  headers: fileHeaders,
  response: {
    200: csv('The whole file.'),
    206: csv('The range asked for.'),
    416: { ...csv('There is no such range.'), content: { 'text/plain': { schema: csvText } } },
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
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

/** One range; several would be an answer in parts, and a way to ask for the same bytes many times. */
const SINGLE_RANGE = /^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$/
/** A caller who takes no byte for so long is cut. */
const STUCK_MS = 30_000

export const fileRoute = (app: FastifyInstance, { files }: FileRouteOptions) => {
  app
    .withTypeProvider<ZodTypeProvider>()
    .get('/campaigns/:campaignId/export/:exportId/file', { schema }, async (request, reply) => {
      const { exportId } = request.params
      const { range } = request.headers
      const wanted = range !== undefined && SINGLE_RANGE.test(range) ? range : undefined
      const ref = { account: DEFAULT_ACCOUNT, ...request.params }
      const answer = await files.open(ref, wanted, request.signal)
      describe(request, reply, exportId, answer)
      if (request.method === 'HEAD' || answer.status === 416) {
        answer.body.on('error', () => {}).destroy()
        // A stream: for any other body Fastify would set its own Content-Length on a HEAD.
        return reply.send(Readable.from([]) as never)
      }
      reply.raw.setTimeout(STUCK_MS, () => reply.raw.destroy())
      // Typed by the documented text; what is sent is lemlist's stream.
      return reply.send(answer.body as never)
    })
}

const describe = (
  request: FastifyRequest,
  reply: FastifyReply,
  exportId: string,
  { status, length, range }: FileAnswer,
): void => {
  reply
    .code(status)
    .type('text/csv; charset=utf-8')
    // The name is made of the id that was checked: nothing of lemlist's gets into a header.
    .header('content-disposition', `attachment; filename="export_${exportId}.csv"`)
    .header('cache-control', 'private, no-store')
    .header('content-security-policy', "default-src 'none'; sandbox")
    .header('x-content-type-options', 'nosniff')
    .header('accept-ranges', 'bytes')
    .header('x-request-id', request.id)
  if (length !== undefined && status !== 416) reply.header('content-length', String(length))
  if (range !== undefined && /^bytes [\d*/-]{1,64}$/.test(range)) {
    reply.header('content-range', range)
  }
}
