import type { ServerResponse } from 'node:http'

/**
 * Puts events on the wire. A finished chunk (RFC 9112, 7.1) goes to the socket by itself. The response would
 * write the size, the bytes and the line end of each chunk one by one, for each of thousands of
 * streams.
 */

const LINE_END = Buffer.from('\r\n')

const chunkOf = (events: readonly Uint8Array[]): Uint8Array => {
  const size = events.reduce((sum, { byteLength }) => sum + byteLength, 0)
  return Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), ...events, LINE_END])
}

/** The chunks of events that go to many streams, as long as other code holds the event. */
const chunks = new WeakMap<Uint8Array, Uint8Array>()

const sharedChunkOf = (event: Uint8Array): Uint8Array => {
  const known = chunks.get(event)
  if (known !== undefined) return known
  const chunk = chunkOf([event])
  chunks.set(event, chunk)
  return chunk
}

/**
 * Writes events to a response whose head was sent. The response may be written to and ended as ever
 * after that: its own bytes go to the same socket.
 *
 * @param taken called when the socket has passed the bytes on, or has failed
 */
export const writeEvents = (
  response: ServerResponse,
  events: readonly Uint8Array[],
  taken: () => void,
): void => {
  const { socket, chunkedEncoding } = response
  const [first] = events
  // A client of HTTP/1.0 takes no chunks. It reads to the end of the connection.
  if (socket === null || !chunkedEncoding) response.write(Buffer.concat(events), taken)
  else if (first !== undefined && events.length === 1) socket.write(sharedChunkOf(first), taken)
  else socket.write(chunkOf(events), taken)
}
