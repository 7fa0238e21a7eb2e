import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cutStuckReaders } from '../../src/http/stuck-readers.ts'
import { startGateway, statusPath } from '../helpers/gateway.ts'

/** Real sockets, and a time-out of 0.4 s where the gateway has 40 s. */
const SCALED = { stuckMs: 400, sweepMs: 20 }
/** More than the kernel holds for a connection. */
const LARGE_BYTES = 16 * 1024 * 1024

const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`

const open = (url: string, bytes: string) => {
  const socket = connect(Number(new URL(url).port))
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.write(bytes)
  return socket
}

/** Starts a server of Node with the rule. Resolves to its URL. */
const serve = async (handler: RequestListener): Promise<string> => {
  const server = createServer(handler)
  cutStuckReaders(server, SCALED)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

describe('a caller who reads nothing', () => {
  // Regression: the answers stayed in memory for as long as he liked.
  it.each(['/docs/static/swagger-ui-bundle.js', '/openapi.json'])('of %s is cut', async (path) => {
    const { size } = await (await fetch((await startGateway()).url + path)).blob()
    // The gateway's own rule looks at its connections after 5 s. By then this one must be cut.
    const { app, url } = await startGateway()
    cutStuckReaders(app.server.server, SCALED)
    const arrived = once(app.server.server, 'connection')
    // He asks so often that the kernel does not hold all of it for him. No more than 100 may wait.
    const times = Math.ceil(LARGE_BYTES / size)
    expect(times).toBeLessThan(100)
    open(url, ask(path).repeat(times))
    const [socket] = await arrived
    await once(socket, 'close')
  })
})

describe('a caller who is left alone', () => {
  it('takes a large answer slowly', async () => {
    const url = await serve(
      (_request, response) => void response.end(Buffer.alloc(3 * LARGE_BYTES)),
    )
    const socket = open(url, ask('/'))
    const from = performance.now()
    const closed = once(socket, 'close').then(() => expect.unreachable('he was cut'))
    let received = 0
    socket.on('data', (data: Buffer) => {
      received += data.length
      // He is slow for four time-outs, and then takes the rest.
      if (performance.now() - from > 4 * SCALED.stuckMs) return
      socket.pause()
      setTimeout(() => socket.resume(), 5)
    })
    closed.catch(() => {})
    while (received < 3 * LARGE_BYTES) await Promise.race([once(socket, 'data'), closed])
    expect(performance.now() - from).toBeGreaterThan(4 * SCALED.stuckMs)
  })

  it('waits for an answer that takes long to come', async () => {
    const url = await serve((_request, response) => {
      response.write('begun')
      setTimeout(() => response.end('ended'), 3 * SCALED.stuckMs)
    })
    const socket = open(url, ask('/'))
    let text = ''
    socket.on('data', (data: Buffer) => {
      text += data
    })
    while (!text.includes('ended')) await once(socket, 'data')
  })

  it('waits for a status', async () => {
    const { app, url, lemlist } = await startGateway()
    cutStuckReaders(app.server.server, SCALED)
    const path = statusPath(lemlist.add({ outcome: 'never' }))
    const answer = await fetch(url + path, { headers: { prefer: 'wait=2' } })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toBeDefined()
  })
})
