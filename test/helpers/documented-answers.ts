import { z } from 'zod'

/**
 * The answers that lemlist documents for its export API, as the project understands them. The
 * schemas are strict, so that an emulator fails when it invents or forgets a field. They import
 * nothing of `src/`. Source: lemlist's OpenAPI document and answers that others recorded
 * (2024-2026).
 */

const id = (prefix: string) => z.string().regex(new RegExp(`^${prefix}_[A-Za-z0-9]{1,64}$`))
const instant = z.iso.datetime({ precision: 3 })
const epochMs = z.int().positive()

const identity = {
  id: id('[a-z]{3}'),
  teamId: id('tea'),
  campaignId: id('cam'),
  campaignName: z.string(),
}
const run = {
  startedAt: instant,
  progressIndex: z.int().min(0).max(6),
  progressTime: epochMs,
  progressLastStepDuration: z.int().min(0),
  progressType: z.string().min(1),
  progress: z.int().min(0),
  total: z.int().min(0),
}

/** `GET /campaigns/{campaignId}/export/start`, 200: no wrapper around it, and no progress yet. */
export const startAnswer = z.strictObject({
  _id: identity.id,
  ...identity,
  status: z.literal('pending'),
  ...run,
  progressIndex: z.literal(0),
  progressType: z.literal('starting'),
  progress: z.literal(0),
  total: z.literal(0),
})

const wrapped = <Status extends z.ZodType>(status: Status) =>
  z.strictObject({ ok: z.literal(true), status })

/** `GET …/status`, 200, pending: without `_id`, `fileSize`, `endedAt`, `url`. */
export const pendingAnswer = wrapped(
  z.strictObject({ ...identity, status: z.literal('pending'), ...run }),
)

/** `GET …/status`, 200, done. */
export const doneAnswer = wrapped(
  z.strictObject({
    _id: identity.id,
    ...identity,
    status: z.literal('done'),
    ...run,
    progressIndex: z.literal(6),
    progressType: z.literal('done'),
    fileSize: z.int().min(0),
    endedAt: instant,
    url: z.string().regex(/^https?:\/\/[^/?#]+\/api\/files\/exports\/fil_[A-Za-z0-9_-]+\.csv$/),
  }),
)

/** lemlist documents no body of an `error`. The project expects the pending one with that word. */
export const errorAnswer = wrapped(
  z.strictObject({ ...identity, status: z.literal('error'), ...run }),
)

export const exportNotFound = z.strictObject({
  ok: z.literal(false),
  message: z.string().regex(/^Export with id \S+ not found$/),
})

/** The headers that lemlist sends with every answer. The names are in lower case. */
export const rateHeaders = z.object({
  'retry-after': z.string().regex(/^\d+(\.\d+)?$/),
  'x-ratelimit-limit': z.literal('20'),
  'x-ratelimit-remaining': z.string().regex(/^(1?\d|20)$/),
  'x-ratelimit-reset': z
    .string()
    .regex(/^[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d GMT[+-]\d{4} \(.+\)$/),
})

/** An answer as a client received it. */
export interface WireAnswer {
  readonly status: number
  readonly contentType: string | null
  readonly body: string
}

interface Documented {
  readonly status: number
  /** `null`: the answer has no such header. */
  readonly contentType: string | null
  /** The whole body, or the schema of the JSON in it. */
  readonly body: string | z.ZodType
}

const plain = (status: number, body: string): Documented => ({
  status,
  contentType: 'text/plain',
  body,
})
const json = (status: number, body: string | z.ZodType): Documented => ({
  status,
  contentType: 'application/json',
  body,
})

const REFUSALS = [
  { status: 400, contentType: null, body: 'no api key provided' },
  plain(401, 'The authentication you supplied is incorrect'),
  plain(403, 'User linked to this API key is blocked'),
  plain(404, 'No user found for this API key'),
  plain(400, 'Bad team'),
  plain(405, 'Bad method'),
]

/** Every answer that lemlist documents or that others observed, by operation. */
export const DOCUMENTED = {
  start: [json(200, startAnswer), plain(404, 'Campaign not found'), ...REFUSALS],
  status: [
    json(200, z.union([pendingAnswer, doneAnswer, errorAnswer])),
    json(404, exportNotFound),
    json(404, 'Campaign not found'),
    ...REFUSALS,
  ],
} as const satisfies Record<string, readonly Documented[]>

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const fits = (documented: Documented, answer: WireAnswer): boolean => {
  const [essence = null] = answer.contentType?.split(';') ?? []
  if (documented.status !== answer.status || documented.contentType !== essence) return false
  if (typeof documented.body === 'string') return documented.body === answer.body
  return documented.body.safeParse(parsed(answer.body)).success
}

/** Whether `DOCUMENTED` contains such an answer for the operation. */
export const isDocumented = (operation: keyof typeof DOCUMENTED, answer: WireAnswer): boolean =>
  DOCUMENTED[operation].some((documented) => fits(documented, answer))

/** lemlist's documented example of a done export, byte for byte. */
export const DONE_EXAMPLE =
  '{"ok":true,"status":{"_id":"axp_eVuZ9rVr4yYWrnPWA","id":"axp_eVuZ9rVr4yYWrnPWA","teamId":"tea_8QvkOiBfPdb2ZRhHi","campaignId":"cam_lBCWmqEWI399hJZOd","campaignName":"lemstage","status":"done","startedAt":"2025-10-27T07:53:16.267Z","progressIndex":6,"progressTime":1761551597286,"progressLastStepDuration":0,"progressType":"done","progress":0,"total":0,"fileSize":23654,"endedAt":"2025-10-27T07:53:17.286Z","url":"https://api.lemlist.com/api/files/exports/fil_axp_7guBefhehehe.csv"}}'

/** lemlist's documented example of a pending export, byte for byte. */
export const PENDING_EXAMPLE =
  '{"ok":true,"status":{"id":"axp_Vv6lJOc8NlVVmDud5","teamId":"tea_c123fg5h8ijKL9noP","campaignId":"cam_A1B2C3D4E5F6G7H8I9","campaignName":"Insights Outreach 2024","status":"pending","startedAt":"2020-01-01T00:00:00.000Z","progressIndex":3,"progressTime":1639138959979,"progressLastStepDuration":200,"progressType":"processing","progress":50,"total":100}}'

/** The answer of a start that a third party recorded on 2025-05-17. */
export const START_EXAMPLE =
  '{"_id":"axp_EvgfS8MuubZWbKsbM","id":"axp_EvgfS8MuubZWbKsbM","teamId":"tea_qWoCbAXbjTF73Bxsg","campaignId":"cam_v8cz524NPmtnidwkq","campaignName":"Updated Campaign 3be50db3-ebd4-4bbb-bfbf-72ef1a33eaa5","status":"pending","startedAt":"2025-05-17T00:40:14.815Z","progressIndex":0,"progressTime":1747442414815,"progressLastStepDuration":0,"progressType":"starting","progress":0,"total":0}'
