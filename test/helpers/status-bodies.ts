/** Answers of lemlist for one export, written out so that a test can spoil them. */

/** The export that tests with scripted answers ask for. */
export const REF = {
  account: 'default',
  campaignId: 'cam_Scripted0000001',
  exportId: 'axp_Scripted0000001',
} as const

type Ids = Pick<typeof REF, 'campaignId' | 'exportId'> | { campaignId: string; exportId: string }

/** A status as lemlist wraps it; `fields` come after the documented ones and win over them. */
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

/** Done a moment ago, so that it has a life of 24 h before it. */
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
