import { connect } from 'node:net'
import { z } from 'zod'

/**
 * Makes the load for streams.ts: thousands of clients of event streams in one process. It notes
 * when the first and when the last client has an event.
 */

const order = z.union([
  z.object({
    url: z.string(),
    streams: z.number(),
    /** Header lines, each with its end. */
    headers: z.string(),
    /** Bytes that only the first event has. */
    marker: z.string(),
  }),
  /** The bytes of the next event. Answered with `isReady`. */
  z.object({ marker: z.string() }),
])
/** Connections that are opened at once. The backlog of a server takes so many without a TCP retry. */
const AT_ONCE = 100
/** All clients read into the same bytes, one after the other. */
const buffer = Buffer.alloc(64 * 1_024)

let marker = Buffer.alloc(0)
let firstAt = 0n
let seen = 0
/** A lost stream is told at once: the event that is waited for would never be complete. */
const lose = (): void => void process.send?.({ isLost: true })

const openAll = (url: string, streams: number, headers: string): void => {
  const { host, hostname, port, pathname } = new URL(url)
  const accept = 'Accept: text/event-stream\r\n'
  const request = Buffer.from(
    `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n${accept}${headers}\r\n`,
  )
  const startedAt = process.hrtime.bigint()
  let opened = 0
  let begun = 0

  const open = (): void => {
    if (opened === streams) return
    opened += 1
    let isOpen = false
    const read = (length: number): boolean => {
      if (!buffer.subarray(0, length).includes(marker)) return true
      const now = process.hrtime.bigint()
      if (isOpen) {
        seen += 1
        if (seen === 1) firstAt = now
        if (seen === streams) process.send?.({ first: `${firstAt}`, last: `${now}` })
        return true
      }
      isOpen = true
      begun += 1
      if (begun === streams) process.send?.({ openedMs: Number(now - startedAt) / 1e6 })
      open()
      return true
    }
    const onread = { buffer, callback: read }
    const socket = connect({ port: Number(port), host: hostname, onread })
    socket.on('close', lose).on('error', () => {})
    socket.write(request)
  }
  for (let count = 0; count < AT_ONCE; count += 1) open()
}

process.on('message', (value) => {
  const asked = order.parse(value)
  marker = Buffer.from(asked.marker)
  seen = 0
  if ('url' in asked) openAll(asked.url, asked.streams, asked.headers)
  else process.send?.({ isReady: true })
})
