import { connect } from 'node:net'
import { z } from 'zod'

/**
 * Makes the load for hit.ts and logs.ts: keep-alive connections with one request at a time on each. It uses
 * bare sockets, because a client library would be slower than the gateway.
 */

const order = z.object({
  url: z.string(),
  connections: z.number(),
  warmUpMs: z.number(),
  runMs: z.number(),
  /** Header lines, each with its end. */
  headers: z.string().default(''),
})

/** Servers write the name of the header in their own way. */
let lengthHeader = 'content-length: '
const lengthOf = (text: string): number => {
  let at = text.indexOf(lengthHeader)
  if (at === -1) {
    lengthHeader = /content-length: /i.exec(text)?.[0] ?? lengthHeader
    at = text.indexOf(lengthHeader)
  }
  if (at === -1) throw new Error('an answer without a length')
  const from = at + lengthHeader.length
  return Number(text.slice(from, text.indexOf('\r', from)))
}

process.on('message', (value) => {
  const { url, connections, warmUpMs, runMs, headers } = order.parse(value)
  const { hostname, port, pathname } = new URL(url)
  const head = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${headers}`
  const request = Buffer.from(`${head}\r\n`)
  let answers = 0
  let bad = 0
  let over = false
  let times: number[] = []

  for (let count = 0; count < connections; count += 1) {
    const socket = connect(Number(port), hostname)
    let text = ''
    let sentAt = 0
    const send = (): void => {
      sentAt = performance.now()
      socket.write(request)
    }
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end === -1) return
      if (text.length < end + 4 + lengthOf(text)) return
      if (!text.startsWith('HTTP/1.1 200 ')) bad += 1
      answers += 1
      times.push(performance.now() - sentAt)
      text = ''
      if (over) socket.destroy()
      else send()
    })
    // A lost connection counts as a bad answer: it would only make the figures look better.
    socket.on('error', () => {
      bad += 1
    })
    send()
  }

  setTimeout(() => {
    process.send?.({ warm: true })
    answers = 0
    times = []
    const startedAt = performance.now()
    setTimeout(() => {
      const ms = performance.now() - startedAt
      const p99Ms = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]
      process.send?.({ answers, bad, ms, p99Ms })
      over = true
    }, runMs)
  }, warmUpMs)
})
