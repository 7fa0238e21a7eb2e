import { z } from 'zod'
import { accountHeaders, campaignId, exportId, exportStatus } from './schemas.ts'

/** The schemas of the list of a campaign. */

const time = (description: string) =>
  z.string().meta({ description, example: '2025-10-27T07:53:17.286Z' })

/** What the gateway knows of the exports of a campaign. */
export const campaignExports = z
  .object({
    campaignId,
    exports: z
      .array(
        z.object({
          exportId,
          state: z.string().meta({
            description:
              "lemlist's word (`pending`, `done`, `error` or one that it has not documented), or `timed-out`: lemlist gave up on the export.",
            examples: ['pending', 'done', 'error', 'timed-out'],
          }),
          firstSeenAt: time('When the gateway first saw the export, RFC 3339.'),
          observedAt: time(
            'When lemlist said the state, RFC 3339. For `timed-out`, when the gateway became sure of it.',
          ),
          fileUntil: time(
            'When lemlist deletes the file, RFC 3339. Only of an export that is done.',
          ).optional(),
          body: exportStatus.nullable().meta({
            description:
              "lemlist's answer, byte for byte, or null when the gateway does not have one: lemlist has not answered yet, or the export has timed out.",
          }),
        }),
      )
      .max(100)
      .meta({ description: 'Those first seen last come first.' }),
  })
  .meta({ id: 'CampaignExports', description: 'The exports of a campaign.' })

/** Query of the list of a campaign. */
export const campaignListQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .meta({ description: 'How many exports at most.', example: 20 }),
})

/** Headers of the list of a campaign. */
export const listHeaders = accountHeaders.extend({
  'if-none-match': z.string().optional().meta({
    description:
      'The `ETag` of an earlier answer. The gateway answers 304 when nothing has changed since.',
  }),
})
