import { describe, expect, it } from 'vitest'
import {
  bearer,
  LEMLIST_KEYS,
  send,
  startAccessGateway,
  ticketOf,
} from '../../helpers/access-gateway.ts'
import { entry, KEYS } from '../../helpers/callers.ts'
import {
  campaignEventsPath,
  campaignExportsPath,
  openCampaign,
  toldIds,
} from '../../helpers/campaigns.ts'
import { statusPath } from '../../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../../helpers/pace.ts'
import { doneBody } from '../../helpers/status-bodies.ts'
import { named } from '../../helpers/watching.ts'

/** Both teams have a campaign of this id, which lemlist's own ids would never be. */
const SHARED = 'cam_Shared'
const OWN = { campaignId: SHARED, exportId: 'axp_Own' }
const THEIRS = { campaignId: SHARED, exportId: 'axp_Theirs' }
const OTHER = { campaignId: 'cam_Other', exportId: 'axp_Other' }

/** `crm` has one campaign of `sales`, `bi` all of `emea`, and `all` both accounts. */
const start = async () => {
  const gateway = await startAccessGateway({
    file: {
      accounts: { sales: { apiKey: LEMLIST_KEYS.sales }, emea: { apiKey: LEMLIST_KEYS.emea } },
      callers: {
        crm: entry(KEYS.crm, { accounts: ['sales'], campaigns: [SHARED] }),
        bi: entry(KEYS.bi, { accounts: ['emea'] }),
        all: entry(KEYS.spare, { accounts: ['sales', 'emea'] }),
      },
    },
    env: FAST,
    lemlist: {
      rateLimit: UNLIMITED,
      exports: [{ ...OTHER, apiKey: LEMLIST_KEYS.sales, durationMs: 0 }],
    },
  })
  for (const ref of [OWN, THEIRS]) {
    const { exportId } = ref
    gateway.lemlist.script({ exportId }, { body: doneBody({ endedAt: new Date() }, ref) })
  }
  const know = async (ref: typeof OWN, account: string) => {
    const headers = [bearer(KEYS.spare), `X-Lemlist-Account: ${account}`]
    expect((await send(gateway, statusPath(ref), { headers })).status).toBe(200)
  }
  const list = async (headers: readonly string[], campaignId = SHARED) => {
    const { status, body } = await send(gateway, campaignExportsPath(campaignId), { headers })
    return { status, body }
  }
  const open = (headers: readonly string[], campaignId = SHARED) =>
    openCampaign(gateway.url, campaignId)({ headers })
  return { gateway, know, list, open }
}

describe('the exports of a campaign', () => {
  it('are those of the account of the caller alone, listed and pushed', async () => {
    const { know, list, open } = await start()
    await know(THEIRS, 'emea')
    const [sales, emea] = [open([bearer(KEYS.crm)]), open([bearer(KEYS.bi)])]
    await emea.waitFor(named('status'))
    await know(OWN, 'sales')
    await know(OTHER, 'sales')
    await sales.waitFor(named('status'))
    expect([toldIds(sales), toldIds(emea)]).toEqual([['axp_Own'], ['axp_Theirs']])
    const [ours, theirs] = [await list([bearer(KEYS.crm)]), await list([bearer(KEYS.bi)])]
    for (const { status } of [ours, theirs]) expect(status).toBe(200)
    expect([ours.body.includes('axp_Own'), ours.body.includes('axp_Theirs')]).toEqual([true, false])
    expect([theirs.body.includes('axp_Own'), theirs.body.includes('axp_Theirs')]).toEqual([
      ...[false, true],
    ])
  })

  it('are 404 for a campaign that is not the caller’s, whatever the gateway knows of it', async () => {
    const { gateway, know, list } = await start()
    const saidBy = async () => {
      const listed = await list([bearer(KEYS.crm)], OTHER.campaignId)
      const headers = [bearer(KEYS.crm)]
      const pushed = await send(gateway, campaignEventsPath(OTHER.campaignId), { headers })
      return [listed.status, listed.body, pushed.status, pushed.body].map((one) =>
        String(one).replace(/"instance":"[^"]+"/g, ''),
      )
    }
    const before = await saidBy()
    expect([before[0], before[2]]).toEqual(['404', '404'])
    await know(OTHER, 'sales')
    gateway.lemlist.clearCalls()
    expect(await saidBy()).toEqual(before)
    expect(gateway.lemlist.calls).toEqual([])
  })

  it('open with a ticket for the campaign, and not with one for an export of it', async () => {
    const { gateway, know, list } = await start()
    await know(OWN, 'sales')
    const ticket = await ticketOf(gateway, KEYS.crm, { campaigns: [SHARED] })
    const narrow = await ticketOf(gateway, KEYS.crm, { exports: [`${SHARED}/${OWN.exportId}`] })
    expect(await list([bearer(ticket)])).toMatchObject({ status: 200 })
    expect(await list([bearer(narrow)])).toMatchObject({ status: 404 })
    const stream = openCampaign(gateway.url, SHARED)
    const path = `${campaignEventsPath(SHARED)}?ticket=`
    expect((await send(gateway, path + narrow)).status).toBe(404)
    const pushed = stream({ headers: [bearer(ticket)] })
    await pushed.waitFor(named('status'))
    expect(toldIds(pushed)).toEqual(['axp_Own'])
    // A ticket in the query is for streams and files alone.
    expect((await send(gateway, `${campaignExportsPath(SHARED)}?ticket=${ticket}`)).status).toBe(
      401,
    )
  })
})
