import { EventSource } from 'eventsource'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ticketOf } from '../../helpers/access-gateway.ts'
import { recordAnswered } from '../../helpers/answered.ts'
import { eventsPath } from '../../helpers/gateway.ts'
import { startGuarded } from '../../helpers/guarded-gateway.ts'
import { startHastyProxy } from '../../helpers/hasty-proxy.ts'
import { FAST } from '../../helpers/pace.ts'

const REF = { campaignId: 'cam_Ticket1', exportId: 'axp_Ticket1' }
/** A stream of the gateway lasts five minutes at most, so this many are two hours. Here one lasts 0.1 s. */
const STREAMS = 24
const LONGEST_TICKET_S = 8_100

const start = async (more: Readonly<Record<string, string>> = {}) => {
  const env = { ...FAST, SSE_MAX_AGE_MS: '100', ...more }
  const gateway = await startGuarded({ env })
  gateway.lemlist.add({ ...REF, outcome: 'never' })
  return { ...gateway, answered: recordAnswered(gateway.app) }
}

/** What an EventSource hears that comes back with the URL that it was made with. */
const listen = (url: string) => {
  const source = new EventSource(url)
  onTestFinished(() => source.close())
  const heard: string[] = []
  const over = Promise.withResolvers<void>()
  for (const name of ['status', 'problem', 'gone', 'end']) {
    source.addEventListener(name, () => {
      heard.push(name)
      if (name !== 'end') return
      source.close()
      over.resolve()
    })
  }
  return { heard, over: over.promise }
}

describe('an EventSource with one ticket in its URL', () => {
  it('reconnects with it for two hours, until its export is over', async () => {
    const { url, key, lemlist, answered } = await start()
    const ticket = await ticketOf({ url }, key, {
      exports: [`${REF.campaignId}/${REF.exportId}`],
      ttl: LONGEST_TICKET_S,
    })
    const proxy = await startHastyProxy(url)
    const { heard, over } = listen(`${proxy.url}${eventsPath(REF)}?ticket=${ticket}`)
    const streams = () => answered.filter((one) => one.url.includes('/events'))
    await expect.poll(() => streams().length, { timeout: 15_000 }).toBeGreaterThan(STREAMS)
    lemlist.finish(REF.exportId)
    await over
    expect(new Set(streams().map(({ status }) => status))).toEqual(new Set([200]))
    expect(heard.filter((name) => name !== 'status')).toEqual(['end'])
  })

  it('reconnects with it to another replica that has the same secret', async () => {
    const secret = { TICKET_SECRET: 'a-secret-of-two-replicas-with-32-bytes' }
    const [first, second] = [await start(secret), await start(secret)]
    const ticket = await ticketOf(first, first.key, { campaigns: [REF.campaignId] })
    const proxy = await startHastyProxy(first.url)
    const { heard, over } = listen(`${proxy.url}${eventsPath(REF)}?ticket=${ticket}`)
    await expect.poll(() => heard.length).toBeGreaterThan(0)
    proxy.aim(second.url)
    await expect.poll(() => second.answered.length).toBeGreaterThan(1)
    second.lemlist.finish(REF.exportId)
    await over
    expect(new Set(second.answered.map(({ status }) => status))).toEqual(new Set([200]))
  })

  it('is refused by a replica with another secret', async () => {
    const [first, second] = [await start(), await start({ TICKET_SECRET: 'o'.repeat(32) })]
    const ticket = await ticketOf(first, first.key, { campaigns: [REF.campaignId] })
    const { status } = await fetch(`${second.url}${eventsPath(REF)}?ticket=${ticket}`)
    expect(status).toBe(401)
  })
})
