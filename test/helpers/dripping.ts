import { connect, type Socket } from 'node:net'

/**
 * Senders that never finish a request: a byte now and then, in the headers or in the body
 * ("slowloris").
 */

export interface Drip {
  /** How long the connection was open, milliseconds. */
  readonly openMs: number
  /** What the gateway said before it hung up. */
  readonly heard: string
}

const HEAD = 'POST /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n'
export const SLOW_HEADERS = `${HEAD}X-A: b`
export const SLOW_BODY = `${HEAD}Content-Length: 10000\r\n\r\n"`
const DRIP_MS = 500

/** Opens a connection, and sends a byte every half second until the gateway hangs up. */
export const drip = (url: string, begin: string, sockets: Set<Socket>): Promise<Drip> =>
  new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    sockets.add(socket)
    let heard = ''
    let openedAt = performance.now()
    let timer: NodeJS.Timeout | undefined
    socket.on('data', (data: Buffer) => {
      heard += data.toString()
    })
    socket.once('connect', () => {
      openedAt = performance.now()
      socket.write(begin)
      // A byte that is written earlier would stand before the request, which is then malformed.
      timer = setInterval(() => socket.write('a'), DRIP_MS)
    })
    // A reset is followed by `close`.
    socket.on('error', () => {})
    // The gateway hangs up with its answer. Who goes on sending learns that by a reset.
    socket.once('close', () => {
      clearInterval(timer)
      sockets.delete(socket)
      resolve({ openMs: performance.now() - openedAt, heard })
    })
  })
