import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { isState, openEvents } from '../../helpers/event-connection.ts'
import { eventsPath, logLines, manyEventsPath } from '../../helpers/gateway.ts'
import { startGuarded, startIssuer } from '../../helpers/guarded-gateway.ts'
import { rawRequest } from '../../helpers/wire.ts'

/** Clients who leave before their stream begins. */

describe('a client who leaves while his token is checked', () => {
  // Regression: his stream was open until the gateway stopped, and nobody else got its place.
  it.each([
    ['one export', eventsPath],
    ['many exports', (ref: Parameters<typeof eventsPath>[0]) => manyEventsPath([ref])],
    ['a campaign', ({ campaignId }: { campaignId: string }) => `/campaigns/${campaignId}/events`],
  ])('leaves no stream of %s behind', async (_, pathOf) => {
    const issuer = await startIssuer()
    const release = issuer.provider.hold()
    const gateway = await startGuarded({ env: { ...issuer.env, SSE_MAX_STREAMS: '1' } })
    const { url, lemlist, logs, key } = gateway
    const ref = lemlist.add({ outcome: 'never' })
    const headers = ['Host: 127.0.0.1', `Authorization: Bearer ${await issuer.token(60)}`]
    const leaving = connect(Number(new URL(url).port), '127.0.0.1')
    leaving.write(rawRequest(pathOf(ref), { headers }))
    await expect.poll(issuer.provider.fetches, { interval: 5 }).toBe(1)
    leaving.destroy()
    const lines = (msg: string) => logLines(logs()).filter((line) => line.msg === msg)
    await expect.poll(() => lines('request'), { interval: 5 }).toMatchObject([{ aborted: true }])
    release()
    await expect.poll(() => lines('stream'), { interval: 5 }).toMatchObject([{ ending: 'left' }])
    expect(lines('request')).toHaveLength(1)
    const next = openEvents(url + eventsPath(ref), { headers: [`X-Api-Key: ${key}`] })
    await next.waitFor(isState('pending'))
    next.socket.destroy()
  })
})
