import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findProgram, HAPROXY, startBalancer } from '../helpers/balancers.ts'
import { freePort } from '../helpers/free-port.ts'
import { eventsPath, startGateway, statusPath, type TestGateway } from '../helpers/gateway.ts'
import { FAST } from '../helpers/pace.ts'
import { REF } from '../helpers/status-bodies.ts'

/** HAProxy of `deploy/`, which takes HTTP/2 from its callers and speaks HTTP/1.1 to the gateway. */

const FILE = statusPath(REF).replace('status', 'file')
const MANY = `/events?export=${REF.campaignId}/${REF.exportId}`

const startBehindHttp2 = async () => {
  const gateway = await startGateway({
    env: FAST,
    lemlist: { exports: [{ ...REF, startedBeforeMs: 60_000, durationMs: 1_000 }] },
  })
  const port = await freePort()
  const capture = 'declare capture response len 64'
  const replace = { [capture]: `bind 127.0.0.1:${port} proto h2\n  ${capture}` }
  await startBalancer(HAPROXY, [gateway.url], { replace })
  const session = connect(`http://127.0.0.1:${port}`)
  onTestFinished(() => session.destroy())
  return { gateway, session }
}

/** Sends the end of the request only when the gateway has its beginning. */
const ask = async (
  { server }: TestGateway['app'],
  session: ClientHttp2Session,
  path: string,
  { method = 'GET', content = '' } = {},
) => {
  const arrived = once(server.server, 'request')
  const request = session.request({ ':path': path, ':method': method }, { endStream: false })
  const answered = once(request, 'response')
  await arrived
  request.end(content)
  const [headers] = await answered
  const body = (await request.setEncoding('utf8').toArray()).join('')
  return { status: headers[':status'], body }
}

describe('HAProxy with HTTP/2 in front', () => {
  if (findProgram('haproxy') === undefined) {
    // On a machine of one's own this is a visible skip; where the word of the tests counts, it is a failure.
    it.skipIf(process.env.CI !== 'true')('is not tried without haproxy', () => {
      expect(findProgram('haproxy')).toBeDefined()
    })
    return
  }

  // Regression: HAProxy makes a GET with empty chunks of these, and every one of them was a 400.
  it.each(['/health/live', '/client.js', statusPath(REF), FILE, eventsPath(REF), MANY])(
    'passes a GET on that ends without content: %s',
    async (path) => {
      const { gateway, session } = await startBehindHttp2()
      const { status, body } = await ask(gateway.app, session, path)
      expect([status, body.length > 0]).toEqual([200, true])
      if (path.includes('/events')) expect(body).toContain('event: end')
    },
  )

  it('gets a 400 for a GET with one byte of content', async () => {
    const { gateway, session } = await startBehindHttp2()
    const { status, body } = await ask(gateway.app, session, '/health/live', { content: 'x' })
    expect([status, JSON.parse(body).code]).toEqual([400, 'invalid-request'])
  })

  it('starts an export for a POST that ends without content', async () => {
    const { gateway, session } = await startBehindHttp2()
    const path = `/campaigns/${REF.campaignId}/export/start`
    expect((await ask(gateway.app, session, path, { method: 'POST' })).status).toBe(201)
  })
})
