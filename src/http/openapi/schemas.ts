import { z } from 'zod'
import { PROBLEMS, type ProblemCode } from '../../problems.ts'

/** The shapes of what comes in and goes out. Mirrored bodies are loose: lemlist may add fields. */

export const campaignId = z
  .string()
  .regex(/^cam_[A-Za-z0-9]{1,64}$/)
  .meta({ description: 'Id of the campaign.', example: 'cam_A1B2C3D4E5F6G7H8I9' })

export const exportId = z
  .string()
  .regex(/^[a-z]{3}_[A-Za-z0-9]{1,64}$/)
  .meta({
    description: 'Id of the export, as the start of it answered.',
    example: 'axp_Vv6lJOc8NlVVmDud5',
  })

export const exportParams = z.object({ campaignId, exportId })
export type ExportParams = z.infer<typeof exportParams>

export const campaignParams = z.object({ campaignId })

const wholeNumber = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const date = (description: string) =>
  z.string().meta({ description, format: 'date-time' }).optional()

/** lemlist's own JSON. Nothing but `status.status` is required, and every other field may come. */
export const exportStatus = z
  .looseObject({
    ok: z.boolean().optional(),
    status: z.looseObject({
      _id: z.string().optional().meta({ description: 'Same as `id`; often absent.' }),
      id: z.string().optional().meta({ description: 'Id of the export.' }),
      teamId: z.string().optional(),
      campaignId: z.string().optional(),
      campaignName: z.string().optional(),
      status: z.string().meta({
        description:
          '`pending`, `done` or `error`; a word that lemlist has not documented is passed through.',
        examples: ['pending', 'done', 'error'],
      }),
      startedAt: date('When lemlist says that the export began.'),
      endedAt: date('Only when it is over.'),
      progressIndex: wholeNumber.optional().meta({ description: 'Step, 0 to 6 in every example.' }),
      progressTime: wholeNumber.optional().meta({ description: 'Epoch milliseconds.' }),
      progressLastStepDuration: wholeNumber.optional().meta({ description: 'Milliseconds.' }),
      progressType: z
        .string()
        .optional()
        .meta({ description: 'Name of the step. Not the state: a pending export may say `done`.' }),
      progress: wholeNumber.optional().meta({ description: 'Items done in this step.' }),
      total: wholeNumber
        .optional()
        .meta({ description: 'Items to do in this step; 0 at the start and again at the end.' }),
      fileSize: wholeNumber.optional().meta({ description: 'Bytes of the CSV, when done.' }),
      url: z.string().optional().meta({ description: 'Where lemlist has the CSV, when done.' }),
    }),
  })
  .meta({ id: 'ExportStatus', description: "lemlist's answer, byte for byte." })

/** Headers of the status route. */
export const statusHeaders = z.object({
  prefer: z.string().optional().meta({
    description:
      'RFC 7240 `wait=N`: a pending export is held until it is final or N seconds (at most 60) have passed.',
  }),
  'if-none-match': z
    .string()
    .optional()
    .meta({ description: 'An `ETag` of before: answers 304 when nothing has changed.' }),
})

/** Headers of the start. The key is hashed before it is kept. */
export const startHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
    .optional()
    .meta({
      description: 'One for each export that is wanted, a UUID say; a repeated one starts nothing.',
      example: '8e03978e-40d5-43e8-bc93-6894a57f9324',
    }),
})

/** Headers of the file. */
export const fileHeaders = z.object({
  range: z
    .string()
    .optional()
    .meta({ description: 'One range of bytes; several are ignored.', example: 'bytes=0-1023' }),
})

export const csvText = z.string().meta({ description: "lemlist's bytes." })

/** What lemlist answers to a start: the fields of a status, without its wrapper. */
export const startedExport = z
  .looseObject({
    _id: z.string().optional(),
    id: z.string().meta({ description: 'Id of the export.' }),
    teamId: z.string().optional(),
    campaignId: z.string().optional(),
    campaignName: z.string().optional(),
    status: z.string().optional(),
    startedAt: date('When lemlist says that the export began.'),
    progressIndex: wholeNumber.optional(),
    progressTime: wholeNumber.optional(),
    progressLastStepDuration: wholeNumber.optional(),
    progressType: z.string().optional(),
    progress: wholeNumber.optional(),
    total: wholeNumber.optional(),
  })
  .meta({ id: 'StartedExport', description: "lemlist's answer to a start, byte for byte." })

/** Headers of the event routes. Anything a client sends as the last id is taken; what is not ours is ignored. */
export const eventHeaders = z.object({
  'last-event-id': z
    .string()
    .optional()
    .meta({ description: 'The `id:` of the last event; EventSource sends it when it comes back.' }),
})

const exportName = z
  .string()
  .regex(/^cam_[A-Za-z0-9]{1,64}\/[a-z]{3}_[A-Za-z0-9]{1,64}$/, 'must be campaignId/exportId')

/** `?export=cam_x/axp_y&export=…`, 1 to 100 of them. */
export const manyExportsQuery = z.object({
  export: z
    .union([exportName.transform((name) => [name]), z.array(exportName).min(1).max(100)])
    .meta({
      description: 'Campaign id and export id, joined by `/`; 1 to 100 times.',
      example: ['cam_A1B2C3D4E5F6G7H8I9/axp_Vv6lJOc8NlVVmDud5'],
    }),
})

export const eventStreamText = z
  .string()
  .meta({ id: 'EventStream', description: 'Server-sent events (WHATWG HTML, 9.2).' })

export const problemDocument = z
  .object({
    type: z.string().meta({ description: 'urn:lemlist-export-gateway:problem:<code>' }),
    title: z.string(),
    status: z.number().int().min(400).max(599),
    detail: z.string(),
    instance: z.string().meta({ description: 'The request id, as in `X-Request-Id`.' }),
    // The keys of the catalogue are its codes; Object.keys cannot say so.
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    retryable: z.boolean().meta({ description: 'Whether the same request may succeed later.' }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'What is wrong where in the input.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' })
