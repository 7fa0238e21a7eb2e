import { describe, expect, it, vi } from 'vitest'
import {
  createTicket,
  downloadLink,
  getStatus,
  startExport,
  watchExport,
  watchExports,
} from '../../src/client/client.js'
import { startGuarded } from '../helpers/guarded-gateway.ts'

const REF = { campaignId: 'cam_Client1', exportId: 'axp_Client1' }

describe('the client in front of a gateway that wants to know its callers', () => {
  const start = async (env: Readonly<Record<string, string>> = {}) => {
    const gateway = await startGuarded({ env })
    gateway.lemlist.add({ ...REF, outcome: 'never', fileBytes: 2_000 })
    const { url: baseUrl, key: apiKey } = gateway
    /** What the backend of a page does. */
    const ticketFor = (seconds: number) =>
      vi.fn(async () => {
        const wanted = { exports: [REF], ttl: seconds }
        return (await createTicket({ baseUrl, apiKey, ...wanted })).ticket
      })
    return { ...gateway, baseUrl, apiKey, ticketFor }
  }

  it('starts and reads with a key', async () => {
    const { baseUrl, apiKey, lemlist } = await start()
    lemlist.addCampaign('cam_Client2')
    const { id: exportId } = await startExport({ baseUrl, apiKey, campaignId: 'cam_Client2' })
    const read = getStatus({ baseUrl, apiKey, campaignId: 'cam_Client2', exportId })
    expect((await read).status.status).toBe('pending')
  })

  it('watches over many streams with tickets of a second, and asks for no more than it needs', async () => {
    const { baseUrl, lemlist, ticketFor } = await start({ SSE_MAX_AGE_MS: '1000' })
    const ticket = ticketFor(1)
    let opened = 0
    const onOpen = () => {
      opened += 1
      if (opened === 3) lemlist.finish(REF.exportId)
    }
    const states: string[] = []
    for await (const { status } of watchExport({ baseUrl, ticket, ...REF, onOpen })) {
      states.push(status.status)
    }
    expect([states[0], states.at(-1)]).toEqual(['pending', 'done'])
    expect(opened).toBeGreaterThanOrEqual(3)
    expect(ticket.mock.calls.length).toBeGreaterThan(1)
    expect(ticket.mock.calls.length).toBeLessThanOrEqual(opened)
  })

  it('replaces a ticket that has ended without its knowledge', async () => {
    const { baseUrl, ticketFor } = await start()
    const good = await ticketFor(60)()
    const ticket = vi.fn(async () => good).mockImplementationOnce(async () => `${good}x`)
    expect((await getStatus({ baseUrl, ticket, ...REF })).status.status).toBe('pending')
    expect(ticket).toHaveBeenCalledTimes(2)
  })

  it('downloads with a link that has the ticket in it', async () => {
    const { baseUrl, lemlist, ticketFor } = await start()
    lemlist.finish(REF.exportId)
    const link = await downloadLink({ baseUrl, ticket: ticketFor(60), ...REF })
    expect((await (await fetch(link)).arrayBuffer()).byteLength).toBe(2_000)
  })

  it('tells 401 when the maker of the ticket is gone, and 404 for what the ticket does not open', async () => {
    const { baseUrl, ticketFor, dismiss } = await start()
    const ticket = ticketFor(60)
    const kept = await ticket()
    const other = watchExports({
      ...{ baseUrl, ticket },
      exports: [{ ...REF, exportId: 'axp_Client9' }],
    })
    expect((await other.next()).value).toMatchObject({
      type: 'gone',
      problem: { code: 'campaign-not-found' },
    })
    await dismiss()
    const refused = getStatus({ baseUrl, ticket: async () => kept, ...REF })
    await expect(refused).rejects.toMatchObject({ code: 'unauthenticated', status: 401 })
  })
})
