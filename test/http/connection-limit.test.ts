import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { limitConnections } from '../../src/http/connection-limit.ts'
import { logLines, memoryLogger, startGateway } from '../helpers/gateway.ts'
import { ask, rawRequest } from '../helpers/wire.ts'

const open = async (url: string): Promise<Socket> => {
  const socket = connect(Number(new URL(url).port))
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

describe('the connections of a gateway', () => {
  it('may be two for each stream and 4 096 more', async () => {
    const { app } = await startGateway({ env: { SSE_MAX_STREAMS: '7' } })
    expect(app.server.server.maxConnections).toBe(4_110)
  })

  // Regression: their number had no bound.
  it('are closed at once above the limit, with one warning, until others end', async () => {
    const { app, url } = await startGateway()
    const { logger, text } = memoryLogger()
    limitConnections(app.server.server, 10, logger)
    const held = await Promise.all(Array.from({ length: 10 }, () => open(url)))
    const more = await Promise.all(Array.from({ length: 5 }, () => open(url)))
    await Promise.all(more.map((socket) => socket.closed || once(socket.resume(), 'close')))
    expect(logLines(text())).toMatchObject([
      { level: 40, max: 10, closed: 1, msg: 'too many connections: new ones are closed at once' },
    ])
    expect(held.filter((socket) => socket.destroyed)).toEqual([])
    held[0]?.destroy()
    await vi.waitFor(async () => {
      expect((await ask(url, rawRequest('/health/live'))).status).toBe(200)
    })
  })
})
