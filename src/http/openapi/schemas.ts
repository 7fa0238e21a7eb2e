import { z } from 'zod'
import { PROBLEMS, type ProblemCode } from '../../problems.ts'

/**
 * The schemas of requests and answers. The schemas of mirrored bodies are loose, because lemlist
 * may add fields.
 */

export const campaignId = z
  .string()
  .regex(/^cam_[A-Za-z0-9]{1,64}$/)
  .meta({ description: 'Id of the campaign.', example: 'cam_A1B2C3D4E5F6G7H8I9' })

export const exportId = z
  .string()
  .regex(/^[a-z]{3}_[A-Za-z0-9]{1,64}$/)
  .meta({
    description: 'Id of the export, from the answer to its start.',
    example: 'axp_Vv6lJOc8NlVVmDud5',
  })

export const exportParams = z.object({ campaignId, exportId })
export type ExportParams = z.infer<typeof exportParams>

export const campaignParams = z.object({ campaignId })

const wholeNumber = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const date = (description: string) =>
  z.string().meta({ description, format: 'date-time' }).optional()

/**
 * lemlist's own JSON. Only `status.status` is required. Fields that are not listed may come, too.
 */
export const exportStatus = z
  .looseObject({
    ok: z.boolean().optional(),
    status: z.looseObject({
      _id: z.string().optional().meta({ description: 'Same as `id`. Often absent.' }),
      id: z.string().optional().meta({ description: 'Id of the export.' }),
      teamId: z.string().optional(),
      campaignId: z.string().optional(),
      campaignName: z.string().optional(),
      status: z.string().meta({
        description:
          '`pending`, `done` or `error`. The gateway also passes on a word that lemlist has not documented.',
        examples: ['pending', 'done', 'error'],
      }),
      startedAt: date('When the export began, as lemlist says.'),
      endedAt: date('When the export ended. Only present when it has ended.'),
      progressIndex: wholeNumber
        .optional()
        .meta({ description: 'Number of the step, 0 to 6 in every example of lemlist.' }),
      progressTime: wholeNumber
        .optional()
        .meta({ description: 'Time of the last progress, epoch milliseconds.' }),
      progressLastStepDuration: wholeNumber
        .optional()
        .meta({ description: 'Duration of the last step, milliseconds.' }),
      progressType: z.string().optional().meta({
        description:
          'Name of the step. It is not the state: a pending export may have the step `done`.',
      }),
      progress: wholeNumber.optional().meta({ description: 'Items done in this step.' }),
      total: wholeNumber
        .optional()
        .meta({ description: 'Items to do in this step. 0 at the start, and 0 again at the end.' }),
      fileSize: wholeNumber
        .optional()
        .meta({ description: 'Size of the CSV in bytes, when the export is done.' }),
      url: z.string().optional().meta({
        description:
          "The link to the CSV at lemlist, when the export is done. With `FILE_URLS=gateway` it is the URL of the gateway's file route.",
      }),
    }),
  })
  .meta({
    id: 'ExportStatus',
    description: "lemlist's answer to a read of the status, byte for byte.",
  })

/** Headers of the status route. */
export const statusHeaders = z.object({
  prefer: z.string().optional().meta({
    description:
      'RFC 7240. With `wait=N` the gateway holds the answer until the export is final or N seconds (at most 60) have passed.',
  }),
  'if-none-match': z.string().optional().meta({
    description:
      'The `ETag` of an earlier answer. The gateway answers 304 when nothing has changed since.',
  }),
})

/** Headers of the start. The gateway hashes the key before it keeps it. */
export const startHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
    .optional()
    .meta({
      description:
        'A new key for each export that the caller wants, such as a UUID. A repeated key starts no second export.',
      example: '8e03978e-40d5-43e8-bc93-6894a57f9324',
    }),
})

/** Headers of the file route. */
export const fileHeaders = z.object({
  range: z.string().optional().meta({
    description: 'One range of bytes. Several ranges are ignored.',
    example: 'bytes=0-1023',
  }),
})

export const csvText = z.string().meta({ description: "The bytes of lemlist's file." })

/**
 * lemlist's answer to a start. It has the fields of a status, without the `{ok, status}` around
 * them.
 */
export const startedExport = z
  .looseObject({
    _id: z.string().optional(),
    id: z.string().meta({ description: 'Id of the export.' }),
    teamId: z.string().optional(),
    campaignId: z.string().optional(),
    campaignName: z.string().optional(),
    status: z.string().optional(),
    startedAt: date('When the export began, as lemlist says.'),
    progressIndex: wholeNumber.optional(),
    progressTime: wholeNumber.optional(),
    progressLastStepDuration: wholeNumber.optional(),
    progressType: z.string().optional(),
    progress: wholeNumber.optional(),
    total: wholeNumber.optional(),
  })
  .meta({ id: 'StartedExport', description: "lemlist's answer to a start, byte for byte." })

/**
 * Headers of the event routes. The schema accepts every value as the last id. The route ignores a
 * value that is no id of the gateway.
 */
export const eventHeaders = z.object({
  'last-event-id': z
    .string()
    .optional()
    .meta({ description: 'The `id:` of the last event. EventSource sends it when it reconnects.' }),
})

const exportName = z
  .string()
  .regex(/^cam_[A-Za-z0-9]{1,64}\/[a-z]{3}_[A-Za-z0-9]{1,64}$/, 'must be campaignId/exportId')

/** `?export=cam_x/axp_y&export=…`, 1 to 100 of them. */
export const manyExportsQuery = z.object({
  export: z
    .union([exportName.transform((name) => [name]), z.array(exportName).min(1).max(100)])
    .meta({
      description:
        'The campaign id and the export id, joined by `/`. The parameter may come 1 to 100 times.',
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
    // The keys of the catalogue are the problem codes. The type of `Object.keys` does not say so.
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    retryable: z.boolean().meta({
      description:
        'Whether the same request may succeed later. False for a start without an `Idempotency-Key` that may have begun an export.',
    }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'What is wrong in the input, and where.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' })
