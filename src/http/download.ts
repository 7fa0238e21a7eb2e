import type { ServerResponse } from 'node:http'
import { pipeline, type Readable, Writable } from 'node:stream'

interface DownloadOptions {
  /** The gateway cuts a caller that takes no byte for this long, milliseconds. */
  readonly stuckMs: number
  /** Called when the body breaks off. Not called when the caller leaves. */
  readonly onBreak: (cause: unknown) => void
}

/**
 * Passes a body on to the caller as fast as the caller takes it, one piece at a time. An incomplete
 * body never looks complete: when the body breaks off, the gateway resets the caller's connection.
 */
export const sendDownload = (
  response: ServerResponse,
  body: Readable,
  { stuckMs, onBreak }: DownloadOptions,
): void => {
  const pieces = new Writable({
    // The pipeline reads the next piece only after this one has been written to the socket.
    highWaterMark: 1,
    write: (piece: Uint8Array, _encoding, done) => {
      response.write(piece, (error) => {
        free(piece)
        done(error)
      })
    },
    final: (done) => void response.end(() => done()),
  })
  // An error is always followed by `close`, which is handled below. Without a listener the error
  // would end the process.
  response.on('error', () => {})
  response.once('close', () => pieces.destroy())
  response.setTimeout(stuckMs, () => response.destroy())
  pipeline(body, pieces, (cause) => {
    if (!cause || response.destroyed) return
    onBreak(cause)
    // A caller or proxy that speaks HTTP/1.0 takes a plain close for the end of the body.
    response.socket?.resetAndDestroy()
  })
}

/**
 * Frees the memory of a piece as soon as the piece has been written. Without this, V8 lets about
 * 64 MiB of pieces pile up before it collects them. Only a piece that fills its whole ArrayBuffer
 * is freed. Other pieces share their ArrayBuffer, and the garbage collector frees them later.
 */
const free = ({ buffer, byteLength }: Uint8Array): void => {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
