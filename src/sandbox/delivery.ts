import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reply } from './replies.ts'
import type { ScriptedAnswer } from './scripted-answers.ts'

/** Writes an answer to the socket, with the faults that a test asks for. */

/**
 * Yields at most `limit` bytes. With a speed, it yields small pieces, each for a twentieth of a
 * second.
 */
async function* paced(
  chunks: Iterable<Buffer>,
  limit: number,
  bytesPerSecond: number | undefined,
  signal: AbortSignal,
) {
  let left = limit
  for (const chunk of chunks) {
    const part = chunk.subarray(0, left)
    left -= part.length
    const step = bytesPerSecond === undefined ? part.length : Math.ceil(bytesPerSecond / 20)
    for (let from = 0; from < part.length; from += step) {
      const piece = part.subarray(from, from + step)
      yield piece
      if (bytesPerSecond === undefined) continue
      await sleep((piece.length * 1000) / bytesPerSecond, undefined, { signal })
    }
    if (left === 0) return
  }
}

/**
 * Resolves when everything that was written has reached the kernel. A reset or a close before that
 * would throw it away.
 */
const flushed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.write('', () => resolve())
  })

const sendRaw = async (socket: Socket, raw: Buffer, manner: ScriptedAnswer, gone: AbortSignal) => {
  const pieces = paced([raw], raw.length, manner.dripBytesPerSecond, gone)
  for await (const piece of pieces) socket.write(piece)
  await flushed(socket)
  if (!manner.hang) socket.destroySoon()
}

const writeHead = (res: ServerResponse, { status, headers, body }: Reply) => {
  res.statusCode = status
  // With this header set, Node adds no `Keep-Alive: timeout`. The server in front of lemlist does
  // not announce either when it closes idle sockets, and the gateway must cope with that.
  res.setHeader('Connection', res.shouldKeepAlive ? 'keep-alive' : 'close')
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  const framed = res.hasHeader('Content-Length') || res.hasHeader('Transfer-Encoding')
  if (!framed) res.setHeader('Content-Length', body.length)
}

const sendReply = async (
  res: ServerResponse,
  reply: Reply,
  manner: ScriptedAnswer,
  gone: AbortSignal,
) => {
  const { socket } = res.req
  const whole = reply.body.length
  const cut = manner.truncateAt ?? (manner.reset === 'mid-body' ? Math.floor(whole / 2) : undefined)
  writeHead(res, reply)
  if (cut !== undefined) res.flushHeaders()
  for await (const piece of paced(
    reply.body.chunks(),
    cut ?? whole,
    manner.dripBytesPerSecond,
    gone,
  )) {
    if (!res.write(piece)) await once(res, 'drain', { signal: gone })
  }
  if (cut === undefined) {
    const { extra } = manner
    res.end(() => extra !== undefined && socket.write(extra))
    return
  }
  if (manner.hang) return
  await flushed(socket)
  if (manner.reset === 'mid-body') socket.resetAndDestroy()
  else socket.destroySoon()
}

/**
 * Sends the reply in the given manner, or what the manner has in its place. Rejects when the caller
 * leaves before.
 *
 * @param sending called just before the head of a well-formed answer is sent
 */
export const deliver = async (
  res: ServerResponse,
  reply: Reply,
  manner: ScriptedAnswer,
  sending: () => void,
): Promise<void> => {
  const { socket } = res.req
  const closed = new AbortController()
  const gone = closed.signal
  res.once('close', () => closed.abort())
  if (manner.delayMs !== undefined) await sleep(manner.delayMs, undefined, { signal: gone })
  if (manner.gate !== undefined) await Promise.race([manner.gate, once(gone, 'abort')])
  if (gone.aborted) return
  if (manner.raw !== undefined) return sendRaw(socket, Buffer.from(manner.raw), manner, gone)
  if (manner.hang && manner.truncateAt === undefined) return
  if (manner.reset === 'mid-headers') {
    socket.write(`HTTP/1.1 ${reply.status} OK\r\nContent-Type: applicat`)
    await flushed(socket)
  }
  if (manner.reset === 'mid-headers' || manner.reset === 'before-headers') {
    socket.resetAndDestroy()
    return
  }
  sending()
  return sendReply(res, reply, manner, gone)
}
