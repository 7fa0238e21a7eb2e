import type { Server } from 'node:http'
import type { Socket } from 'node:net'

interface StuckReadersOptions {
  /**
   * How long a connection with unsent bytes may stand still, milliseconds. Default 40 s. Streams and
   * files have shorter rules of their own, which must come first.
   */
  readonly stuckMs?: number
  /** How often the connections are looked at, milliseconds. Default 5 s. */
  readonly sweepMs?: number
}

const STUCK_MS = 40_000
const SWEEP_MS = 5_000

/**
 * Cuts callers who ask for something and then read nothing. Such an answer would stay in memory for
 * as long as the caller likes. Who takes a byte now and then is left alone, however slow he is.
 *
 * Node sees whether a write goes on, and destroys a socket that stands still for its time-out. Here
 * the time-out is set only while bytes are waiting, so an answer that takes long to come is not cut,
 * and an answer that is sent at once costs nothing. When the kernel took a part of the last write,
 * Node waits for the time-out twice. So a caller is cut 40 to 85 s after he stopped.
 */
export const cutStuckReaders = (server: Server, options: StuckReadersOptions = {}): void => {
  const { stuckMs = STUCK_MS, sweepMs = SWEEP_MS } = options
  const open = new Set<Socket>()
  const timed = new Set<Socket>()
  const look = (socket: Socket): void => {
    const waits = socket.writableLength > 0
    if (waits === timed.has(socket)) return
    if (waits) {
      // Somebody else, such as a download, has set a time-out of its own.
      if ((socket.timeout ?? 0) > 0) return
      timed.add(socket)
      socket.setTimeout(stuckMs)
    } else {
      timed.delete(socket)
      // Meanwhile Node may have set the time-out of an idle connection.
      if (socket.timeout === stuckMs) socket.setTimeout(0)
    }
  }
  // One function for all connections. One of its own for each would be a part of their memory.
  function forget(this: Socket): void {
    open.delete(this)
    timed.delete(this)
  }
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.on('close', forget)
  })
  const sweep = setInterval(() => open.forEach(look), sweepMs)
  sweep.unref()
  server.once('close', () => clearInterval(sweep))
}
