/** Status answers of lemlist for one export. A test can change their fields. */

/** The export that tests with scripted answers ask for. */
export const REF = {
  account: 'default',
  campaignId: 'cam_Scripted0000001',
  exportId: 'axp_Scripted0000001',
} as const

type Ids = Pick<typeof REF, 'campaignId' | 'exportId'> | { campaignId: string; exportId: string }

/** A status in lemlist's wrapper. `fields` come after the documented ones and replace them. */
export const statusBody = (
  state: unknown,
  fields: Readonly<Record<string, unknown>> = {},
  { campaignId, exportId }: Ids = REF,
): string =>
  JSON.stringify({
    ok: true,
    status: {
      id: exportId,
      teamId: 'tea_Scripted0000001',
      campaignId,
      campaignName: 'Scripted',
      status: state,
      startedAt: '2020-01-01T00:00:00.000Z',
      progress: 50,
      total: 100,
      ...fields,
    },
  })

export const pendingBody = (fields: Readonly<Record<string, unknown>> = {}, ids: Ids = REF) =>
  statusBody('pending', fields, ids)

/** The export ended a second ago, so its file lives for almost 24 h more. */
export const doneBody = (fields: Readonly<Record<string, unknown>> = {}, ids: Ids = REF) =>
  statusBody(
    'done',
    {
      endedAt: new Date(Date.now() - 1_000).toISOString(),
      fileSize: 626,
      url: `https://api.lemlist.com/api/files/exports/fil_${ids.exportId}_scripted.csv`,
      ...fields,
    },
    ids,
  )
