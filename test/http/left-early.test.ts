import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createHub } from '../../src/exports/watching/hub.ts'
import type { AccountParts, Entry } from '../../src/http/entry.ts'
import { createStreams } from '../../src/http/events/streams.ts'
import { eventsRoute } from '../../src/http/routes/events.ts'
import { createServer } from '../../src/http/server.ts'
import { verbatimBodies } from '../../src/http/status/bodies.ts'
import { ANONYMOUS } from '../helpers/callers.ts'
import { isState, openEvents } from '../helpers/event-connection.ts'
import { eventsPath, logLines, manyEventsPath, memoryLogger } from '../helpers/gateway.ts'
import { startGuarded, startIssuer } from '../helpers/guarded-gateway.ts'
import { REF } from '../helpers/status-bodies.ts'
import { rawRequest } from '../helpers/wire.ts'

/** Callers who leave before anything is done for them. */

const HOST = 'Host: 127.0.0.1'

/** Sends a request. The returned function closes the connection. */
const send = (url: string, request: string): (() => void) => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(request)
  return () => void socket.destroy()
}

const startSlow = async () => {
  const issuer = await startIssuer()
  const release = issuer.provider.hold()
  const gateway = await startGuarded({ env: { ...issuer.env, SSE_MAX_STREAMS: '1' } })
  const headers = [HOST, `Authorization: Bearer ${await issuer.token(60)}`]
  /** Sends a request whose token is checked until `release`, and leaves. */
  const leave = async (target: string, method = 'GET'): Promise<void> => {
    const go = send(gateway.url, rawRequest(target, { method, headers }))
    await expect.poll(issuer.provider.fetches, { interval: 5 }).toBe(1)
    go()
    const requests = () => logLines(gateway.logs()).filter(({ msg }) => msg === 'request')
    await expect.poll(requests, { interval: 5 }).toMatchObject([{ aborted: true }])
  }
  return { gateway, release, leave, headers }
}

describe('a caller who leaves while his token is checked', () => {
  // Regression: his stream was open until the gateway stopped, and nobody else got its place.
  it.each([
    ['one export', eventsPath],
    ['many exports', (ref: Parameters<typeof eventsPath>[0]) => manyEventsPath([ref])],
    ['a campaign', ({ campaignId }: { campaignId: string }) => `/campaigns/${campaignId}/events`],
  ])('leaves no stream of %s behind', async (_, pathOf) => {
    const { gateway, release, leave, headers } = await startSlow()
    const ref = gateway.lemlist.add({ outcome: 'never' })
    await leave(pathOf(ref))
    // This token waits behind that of the one who has left.
    const next = openEvents(gateway.url + eventsPath(ref), { headers: headers.slice(1) })
    release()
    await next.waitFor(isState('pending'))
    next.socket.destroy()
  })

  // Regression: an export was begun for nobody, and no audit line told who had wanted it.
  it('has no export started', async () => {
    const { gateway, release, leave, headers } = await startSlow()
    const ref = gateway.lemlist.add({ durationMs: 0 })
    await leave(`/campaigns/${ref.campaignId}/export/start`, 'POST')
    const next = openEvents(gateway.url + eventsPath(ref), { headers: headers.slice(1) })
    release()
    await next.waitFor(isState('done'))
    expect(gateway.lemlist.calls.map(({ operation }) => operation)).not.toContain('start')
  })
})

describe('a client who leaves while the store is asked what he has seen', () => {
  // Regression: the end of his response came before there was a stream, which was never told of it.
  it('leaves no stream behind', async () => {
    const asked = Promise.withResolvers<void>()
    const answered = Promise.withResolvers<undefined>()
    const hub = createHub()
    // The route uses nothing else of an account.
    const account = {
      reader: {
        lookup: () => {
          asked.resolve()
          return answered.promise
        },
      },
      watch: {
        ...{ isAlone: () => false, first: () => undefined },
        ...{ join: hub.subscribe, leave: hub.unsubscribe },
      },
      closed: new AbortController().signal,
    } as unknown as AccountParts
    const entry: Pick<Entry, 'find'> = {
      find: (_request, _scope, ids) => ({
        ...{ account, caller: ANONYMOUS },
        ref: { ...ids, account: 'default' },
      }),
    }
    const sizes: number[] = []
    const streams = createStreams({
      ...{ max: 1, cut: 'abrupt', heartbeatMs: 60_000, maxAgeMs: 60_000 },
      onSize: (open) => sizes.push(open),
    })
    onTestFinished(() => streams.close())
    const { logger, text } = memoryLogger()
    const app = createServer({ logger, loopback: true, draining: () => false })
    onTestFinished(() => app.close())
    app.addHook('onRequest', (request, _reply, done) => {
      request.notes.caller = ANONYMOUS
      done()
    })
    // The route uses nothing else of the entry.
    eventsRoute(app, { entry: entry as Entry, streams, bodies: verbatimBodies, logger })
    const url = await app.listen({ port: 0 })
    const go = send(url, rawRequest(eventsPath(REF), { headers: [HOST, 'Last-Event-ID: 1'] }))
    await asked.promise
    go()
    const lines = () => logLines(text()).map(({ msg, ending }) => ending ?? msg)
    await expect.poll(lines, { interval: 5 }).toEqual(['request'])
    answered.resolve(undefined)
    await expect.poll(lines, { interval: 5 }).toEqual(['request', 'left'])
    expect(sizes).toEqual([1, 0])
  })
})
