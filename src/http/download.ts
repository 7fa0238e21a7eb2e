import type { ServerResponse } from 'node:http'
import { pipeline, type Readable, Writable } from 'node:stream'

interface DownloadOptions {
  /** A caller who takes no byte for so long is cut, milliseconds. */
  readonly stuckMs: number
  /** Told when the body breaks off; not when the caller leaves. */
  readonly onBreak: (cause: unknown) => void
}

/**
 * Passes a body on as fast as its caller takes it, one piece at a time. It ends well or not at all: a
 * body that breaks off resets the connection.
 */
export const sendDownload = (
  response: ServerResponse,
  body: Readable,
  { stuckMs, onBreak }: DownloadOptions,
): void => {
  const pieces = new Writable({
    // The next one is read when this one has left.
    highWaterMark: 1,
    write: (piece: Uint8Array, _encoding, done) => {
      response.write(piece, (error) => {
        free(piece)
        done(error)
      })
    },
    final: (done) => void response.end(() => done()),
  })
  // Its close tells the same.
  response.on('error', () => {})
  response.once('close', () => pieces.destroy())
  response.setTimeout(stuckMs, () => response.destroy())
  pipeline(body, pieces, (cause) => {
    if (!cause || response.destroyed) return
    onBreak(cause)
    // A mere close looks like the end to a caller, or a proxy, who speaks HTTP/1.0.
    response.socket?.resetAndDestroy()
  })
}

/**
 * Gives a piece that has left back at once: V8 lets some 64 MiB of them pile up before it collects
 * them. Only where it is all of its memory; what shares it with others is collected like anything else.
 */
const free = ({ buffer, byteLength }: Uint8Array): void => {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
