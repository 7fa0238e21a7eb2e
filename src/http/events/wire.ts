import type { ServerResponse } from 'node:http'

/**
 * Puts events on the wire. A finished chunk (RFC 9112, 7.1) goes to the socket by itself. The
 * response would write the size, the bytes and the line end of each chunk one by one, for each of
 * thousands of streams.
 */

const LINE_END = '\r\n'
const headOf = (size: number): string => `${size.toString(16)}${LINE_END}`

/** An encoded event. */
export interface Encoded {
  readonly bytes: Uint8Array
  /** The chunk that the bytes lie in, for an event that goes to many streams. */
  readonly chunk?: Uint8Array
}

/** Encodes an event for one stream. */
export const encode = (text: string): Encoded => ({ bytes: Buffer.from(text) })

/**
 * Encodes an event that goes to many streams. Its bytes lie within those of its chunk, so that it
 * takes no more memory than alone. A WeakMap from one to the other would make V8 keep hundreds of dead
 * events, with 16 KiB each up to 60 MB.
 */
export const encodeShared = (text: string): Encoded => {
  const size = Buffer.byteLength(text)
  const head = headOf(size)
  const chunk = Buffer.from(`${head}${text}${LINE_END}`)
  return { bytes: chunk.subarray(head.length, head.length + size), chunk }
}

const chunkOf = (beginning: string, events: readonly Encoded[]): Uint8Array => {
  let size = 0
  for (const { bytes } of events) size += bytes.byteLength
  const head = headOf(beginning.length + size)
  // All of this memory is written over.
  const chunk = Buffer.allocUnsafe(head.length + beginning.length + size + LINE_END.length)
  // Joined before, the two would be a string of two parts, which Node is slow to write.
  let at = chunk.write(head, 'latin1')
  at += chunk.write(beginning, at, 'latin1')
  for (const { bytes } of events) {
    chunk.set(bytes, at)
    at += bytes.byteLength
  }
  chunk.write(LINE_END, at, 'latin1')
  return chunk
}

/**
 * Writes events to a response whose head was sent. The response may be written to and ended as ever
 * after that: its own bytes go to the same socket.
 *
 * @param beginning what is written before the events, ASCII
 */
export const writeEvents = (
  response: ServerResponse,
  events: readonly Encoded[],
  beginning = '',
): void => {
  const { socket, chunkedEncoding } = response
  const [first] = events
  // A client of HTTP/1.0 takes no chunks. It reads to the end of the connection.
  if (socket === null || !chunkedEncoding) {
    const all = events.map(({ bytes }) => bytes)
    response.write(Buffer.concat([Buffer.from(beginning), ...all]))
    return
  }
  const shared = events.length === 1 && beginning === '' ? first?.chunk : undefined
  socket.write(shared ?? chunkOf(beginning, events))
}

/**
 * Whether the kernel has taken all that was written, which it nearly always does at once. Node tells it
 * to a callback as well, one turn later. But for thousands of streams these calls would be a tenth of an event.
 */
export const isTaken = ({ socket }: ServerResponse): boolean => socket?.writableLength === 0

const NOTHING = Buffer.alloc(0)

/**
 * Calls back when the socket has passed on all that was written so far, or has failed. No bytes are
 * written for it: Node calls back for the empty ones when all others have left.
 */
export const whenTaken = (response: ServerResponse, taken: () => void): void => {
  const { socket } = response
  // The response has no socket before its turn on the connection has come.
  ;(socket ?? response).write(NOTHING, taken)
}
