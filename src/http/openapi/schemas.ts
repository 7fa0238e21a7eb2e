import { z } from 'zod'
import { EXPORT_ID } from '../../exports/export.ts'
import { PROBLEMS, type ProblemCode } from '../../problems.ts'

/**
 * The schemas of requests and answers. The schemas of mirrored bodies are loose, because lemlist
 * may add fields.
 */

const CAMPAIGN_ID = /^cam_[A-Za-z0-9]{1,64}$/

export const campaignId = z
  .string()
  .regex(CAMPAIGN_ID)
  .meta({ description: 'Id of the campaign.', example: 'cam_A1B2C3D4E5F6G7H8I9' })

export const exportId = z.string().regex(EXPORT_ID).meta({
  description: 'Id of the export, from the answer to its start.',
  example: 'axp_Vv6lJOc8NlVVmDud5',
})

export const exportParams = z.object({ campaignId, exportId })
export type ExportParams = z.infer<typeof exportParams>

export const campaignParams = z.object({ campaignId })

/**
 * A field of lemlist's, which the gateway passes on as it is. The document says what is usual, and
 * allows every value: the gateway does not refuse a body because of such a field.
 */
const usually = (description: string, ...examples: readonly unknown[]) =>
  z
    .unknown()
    .optional()
    .meta({ description, ...(examples.length > 0 && { examples: [...examples] }) })

/** The gateway refuses a body about another export, so these are the id asked for, or nothing. */
const ownId = (description: string) => z.string().nullable().optional().meta({ description })

/** What a status and a started export have in common. */
const progress = {
  teamId: usually('Id of the team.', 'tea_b4rMsi2trB42WyuWP'),
  campaignId: ownId('Id of the campaign.'),
  campaignName: usually('Name of the campaign.', 'Insights Outreach 2024'),
  startedAt: usually('When the export began, RFC 3339, as lemlist says.', '2025-10-27T07:53:16Z'),
  progressIndex: usually('Number of the step, 0 to 6 in every example of lemlist.', 3),
  progressTime: usually('Time of the last progress, epoch milliseconds.', 1_639_138_959_979),
  progressLastStepDuration: usually('Duration of the last step, milliseconds.', 200),
  progressType: usually(
    'Name of the step. It is not the state: a pending export may have the step `done`.',
    'processing',
  ),
  progress: usually('Items done in this step.', 50),
  total: usually('Items to do in this step. 0 at the start, and 0 again at the end.', 100),
}

/**
 * lemlist's own JSON. Only `status.status` is required. Fields that are not listed may come, too.
 */
export const exportStatus = z
  .looseObject({
    ok: usually('`true`.', true),
    status: z.looseObject({
      _id: ownId('Same as `id`. Often absent.'),
      id: ownId('Id of the export.'),
      ...progress,
      status: z.string().meta({
        description:
          '`pending`, `done` or `error`. The gateway also passes on a word that lemlist has not documented.',
        examples: ['pending', 'done', 'error'],
      }),
      endedAt: usually(
        'When the export ended, RFC 3339. Only present when it has ended.',
        '2025-10-27T07:53:17.286Z',
      ),
      fileSize: usually('Size of the CSV in bytes, when the export is done.', 23_654),
      url: usually(
        "The link to the CSV at lemlist, when the export is done. With `FILE_URLS=gateway` it is the URL of the gateway's file route.",
        'https://api.lemlist.com/api/files/exports/fil_axp_7guBefhehehe.csv',
      ),
    }),
  })
  .meta({
    id: 'ExportStatus',
    description:
      "lemlist's answer to a read of the status, byte for byte. A field may have another type than is usual.",
  })

/** The header of all routes that use an account. */
export const accountHeaders = z.object({
  'x-lemlist-account': z.string().optional().meta({
    // Without an example: Swagger UI would send it, and hardly any gateway has that account.
    description:
      "The name of one of the caller's lemlist accounts, such as `sales`. Default: the first in the caller's list.",
  }),
})

/** Headers of the status route. */
export const statusHeaders = accountHeaders.extend({
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
export const startHeaders = accountHeaders.extend({
  'idempotency-key': z
    .string()
    .regex(
      /^(?!""$)(?:[\x21-\x7e]{1,255}|"[\x21-\x7e]{1,255}")$/,
      'must be 1 to 255 printable ASCII characters',
    )
    .optional()
    .meta({
      description:
        'A new key for each export that the caller wants, such as a UUID. A repeated key starts no second export. It may be in double quotes, as a string of RFC 8941: `"k"` and `k` are one key.',
      example: '8e03978e-40d5-43e8-bc93-6894a57f9324',
    }),
})

/** Headers of the file route. */
export const fileHeaders = accountHeaders.extend({
  range: z.string().optional().meta({
    description: 'One range of bytes. Several ranges are ignored.',
    example: 'bytes=0-1023',
  }),
})

export const madeTicket = z
  .object({
    ticket: z.string().meta({ description: 'The ticket. It is a secret of its holder.' }),
    expiresAt: z.string().meta({ description: 'When the ticket ends, RFC 3339.' }),
  })
  .meta({ id: 'Ticket', description: 'A signed ticket.' })

export const csvText = z.string().meta({ description: "The bytes of lemlist's file." })

/**
 * lemlist's answer to a start. It has the fields of a status, without the `{ok, status}` around
 * them.
 */
export const startedExport = z
  .looseObject({
    _id: ownId('Same as `id`. At least one of the two is there.'),
    id: ownId('Id of the export.'),
    ...progress,
    status: usually('The state of the export.', 'pending'),
  })
  .meta({
    id: 'StartedExport',
    description:
      "lemlist's answer to a start, byte for byte. A field may have another type than is usual.",
  })

/**
 * Headers of the event routes. The schema accepts every value as the last id. The route ignores a
 * value that is no id of the gateway.
 */
export const eventHeaders = accountHeaders.extend({
  'last-event-id': z
    .string()
    .optional()
    .meta({ description: 'The `id:` of the last event. EventSource sends it when it reconnects.' }),
})

/** A client that repeats its URL may have the parameter twice. The last one is the newest. */
const lastOf = (sent: string[]): string | undefined => sent.at(-1)

/** Query of the event routes. As in the header, every value is accepted. */
export const eventQuery = z.object({
  lastEventId: z
    .union([z.string(), z.array(z.string()).transform(lastOf)])
    .optional()
    .meta({
      description:
        'The gateway reads it where the header `Last-Event-ID` is missing. Polyfills send it when they reconnect.',
    }),
})

const exportName = z
  .string()
  .regex(/^cam_[A-Za-z0-9]{1,64}\/[a-z]{3}_[A-Za-z0-9]{1,64}$/, 'must be campaignId/exportId')

/** How many exports one stream may have, so that ids of the usual length fit into a URL of 8 KiB. */
const MAX_EXPORTS = 100

/** `?export=cam_x/axp_y&export=…`, 1 to `MAX_EXPORTS` of them. */
export const manyExportsQuery = eventQuery.extend({
  export: z
    .union([exportName.transform((name) => [name]), z.array(exportName).min(1).max(MAX_EXPORTS)], {
      error: `must be campaignId/exportId, and come 1 to ${MAX_EXPORTS} times`,
    })
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
