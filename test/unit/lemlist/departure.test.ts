import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { type buildConnector, Pool } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { request } from '../../../src/lemlist/departure.ts'
import { NotSent } from '../../../src/lemlist/failures.ts'
import { listenUntilTheEnd } from '../../helpers/tls-front.ts'

/** Calls on a pool whose connections the test opens, to a server that counts what arrives. */
const setUp = async () => {
  const arrived: (string | undefined)[] = []
  const server = createServer((incoming) => {
    arrived.push(incoming.url)
    incoming.socket.destroy()
  })
  const port = await listenUntilTheEnd(server)
  const asked = Promise.withResolvers<buildConnector.Callback>()
  const pool = new Pool(`http://127.0.0.1:${port}`, {
    connect: (_, callback) => asked.resolve(callback),
  })
  onTestFinished(() => pool.destroy())
  const open = async () => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const callback = await asked.promise
    callback(null, socket)
  }
  const stop = new AbortController()
  const call = request(pool, { method: 'GET', path: '/start', signal: stop.signal })
  const failure = call.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => error,
  )
  return { arrived, asked: asked.promise, open, pool, stop, failure }
}

describe('a call is not sent', () => {
  it('when its connection fails, whatever the error is', async () => {
    const { asked, failure, arrived } = await setUp()
    const cause = Object.assign(new Error('some handshake'), { code: 'A_NEW_CODE' })
    const callback = await asked
    callback(cause, null)
    expect(await failure).toMatchObject({ name: 'NotSent', cause })
    expect(arrived).toEqual([])
  })

  it('when its deadline passes before it has a connection', async () => {
    const { asked, open, stop, failure, arrived } = await setUp()
    await asked
    stop.abort(new DOMException('late', 'TimeoutError'))
    await open()
    expect(await failure).toMatchObject({ name: 'NotSent', cause: { name: 'TimeoutError' } })
    expect(arrived).toEqual([])
  })

  it('when the pool is closed before it has a connection', async () => {
    const { asked, pool, failure, arrived } = await setUp()
    await asked
    const cause = new Error('stopping')
    await pool.destroy(cause)
    expect(await failure).toMatchObject({ name: 'NotSent', cause })
    expect(arrived).toEqual([])
  })
})

describe('a call counts as sent', () => {
  it('when the server hangs up after the request', async () => {
    const { open, failure, arrived } = await setUp()
    await open()
    expect(await failure).not.toBeInstanceOf(NotSent)
    expect(arrived).toEqual(['/start'])
  })
})
