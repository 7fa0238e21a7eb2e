import { once } from 'node:events'
import { connect } from 'node:net'
import { z } from 'zod'

/**
 * Makes the load for collapse.ts: connections that are open already send the same request at the
 * same moment. Tells how long each waited for its answer.
 */

const order = z.object({ url: z.string(), clients: z.number(), headers: z.string().default('') })

process.on('message', async (value) => {
  const { url, clients, headers } = order.parse(value)
  const { hostname, port, pathname } = new URL(url)
  const request = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${headers}\r\n`
  const sockets = await Promise.all(
    Array.from({ length: clients }, async () => {
      const socket = connect(Number(port), hostname)
      await once(socket, 'connect')
      return socket
    }),
  )
  const from = performance.now()
  const times = await Promise.all(
    sockets.map(async (socket) => {
      socket.write(request)
      const [chunk] = await once(socket, 'data')
      const ms = performance.now() - from
      socket.destroy()
      return String(chunk).startsWith('HTTP/1.1 200') ? ms : -1
    }),
  )
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? -1
  process.send?.({ bad: times.filter((ms) => ms < 0).length, p50Ms: at(0.5), p99Ms: at(0.99) })
})
