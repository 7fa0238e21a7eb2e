import { connect } from 'node:net'
import { z } from 'zod'

/**
 * Makes the load for streams.ts: thousands of clients of event streams in one process. It notes
 * when the first and when the last client has an event.
 */

const order = z.object({ url: z.string(), streams: z.number() })
/**
 * Connections that are opened at once. The backlog of a server takes so many without a TCP retry.
 */
const AT_ONCE = 100

process.on('message', (value) => {
  const { url, streams } = order.parse(value)
  const { hostname, port, pathname } = new URL(url)
  const request = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`
  let opened = 0
  let begun = 0
  let lost = 0
  let seen = 0
  let firstAt = 0n
  const startedAt = process.hrtime.bigint()

  const open = (): void => {
    if (opened === streams) return
    opened += 1
    const socket = connect(Number(port), hostname)
    let isOpen = false
    socket.on('data', (chunk) => {
      if (!chunk.includes('event: status')) return
      const now = process.hrtime.bigint()
      if (!isOpen) {
        isOpen = true
        begun += 1
        if (begun === streams) process.send?.({ openedMs: Number(now - startedAt) / 1e6 })
        return open()
      }
      seen += 1
      if (seen === 1) firstAt = now
      if (seen < streams) return
      seen = 0
      process.send?.({ first: String(firstAt), last: String(now), lost })
    })
    socket.on('close', () => {
      lost += 1
    })
    socket.on('error', () => {})
    socket.write(request)
  }
  for (let count = 0; count < AT_ONCE; count += 1) open()
})
