import { connect, type Socket } from 'node:net'
import { createParser } from 'eventsource-parser'

/** One response of an event stream on a bare socket, so that a test sees what libraries hide. */

export interface Received {
  readonly event: string
  readonly data: string
  /** Empty when the event had none. */
  readonly id: string
  /** When it arrived, `performance.now()` milliseconds. */
  readonly at: number
}

export interface EventConnection {
  readonly socket: Socket
  /** The events so far, in order. The list grows. */
  readonly events: readonly Received[]
  /** Status code of the answer; `undefined` while there is none. */
  status(): number | undefined
  /** The head of the answer, byte for byte, without the blank line after it. */
  head(): string
  /** The body so far, comments included. */
  text(): string
  /** What the last `retry:` said, milliseconds. */
  retryMs(): number | undefined
  /** How the stream ended: `clean` with the last chunk (RFC 9112, 7.1), `abrupt` without it. */
  readonly ended: Promise<'clean' | 'abrupt'>
  /** Resolves with the first event that passes, even an old one. Rejects when the stream ends. */
  waitFor(passes: (event: Received) => boolean): Promise<Received>
  /** Resolves when the condition holds after an arrival. Rejects when the stream ends first. */
  until(isSo: () => boolean): Promise<void>
}

export interface ConnectOptions {
  readonly lastEventId?: string
  readonly accept?: string
  /** Further headers, as `Name: value`. */
  readonly headers?: readonly string[]
  readonly onEvent?: (event: Received) => void
}

export const openEvents = (
  url: string,
  {
    lastEventId,
    accept = 'text/event-stream',
    headers = [],
    onEvent = () => {},
  }: ConnectOptions = {},
): EventConnection => {
  const { hostname, port, pathname, search } = new URL(url)
  const events: Received[] = []
  const waiting = new Set<(event: Received) => void>()
  const ended = Promise.withResolvers<'clean' | 'abrupt'>()
  let retryMs: number | undefined
  let status: number | undefined

  const parser = createParser({
    onEvent: ({ event = 'message', data, id = '' }) => {
      const received = { event, data, id, at: performance.now() }
      events.push(received)
      onEvent(received)
      for (const tell of waiting) tell(received)
    },
    onRetry: (ms) => {
      retryMs = ms
    },
  })
  const decoder = new TextDecoder()
  const body = chunkReader((bytes) => {
    const piece = decoder.decode(bytes, { stream: true })
    text += piece
    parser.feed(piece)
  })
  let head = Buffer.alloc(0)
  let text = ''
  const watching = new Set<() => void>()
  const read = (chunk: Buffer): void => {
    body.feed(chunk)
    // The server keeps the connection open for another request. The client closes it.
    if (body.isComplete()) socket.end()
  }

  const socket = connect(Number(port), hostname)
  const more = [...headers]
  if (lastEventId !== undefined) more.push(`Last-Event-ID: ${lastEventId}`)
  const lines = more.map((line) => `${line}\r\n`).join('')
  socket.write(
    `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: ${accept}\r\n${lines}\r\n`,
  )
  socket.on('data', (chunk: Buffer) => {
    if (status !== undefined) {
      read(chunk)
      for (const look of watching) look()
      return
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end === -1) return
    status = Number(head.toString('latin1', 9, 12))
    if (status === 200) read(head.subarray(end + 4))
    else socket.end()
    for (const look of watching) look()
  })
  // A reset ends the stream as a close does.
  socket.on('error', () => {})
  socket.once('close', () => ended.resolve(body.isComplete() ? 'clean' : 'abrupt'))

  return {
    socket,
    events,
    status: () => status,
    head: () => head.toString('latin1', 0, head.indexOf('\r\n\r\n')),
    text: () => text,
    retryMs: () => retryMs,
    ended: ended.promise,
    waitFor: async (passes) => {
      const early = events.find(passes)
      if (early !== undefined) return early
      const found = Promise.withResolvers<Received>()
      const tell = (event: Received) => {
        if (passes(event)) found.resolve(event)
      }
      waiting.add(tell)
      void ended.promise.then((how) =>
        found.reject(new Error(`the stream ended (${how}, status ${status}) before that event`)),
      )
      try {
        return await found.promise
      } finally {
        waiting.delete(tell)
      }
    },
    until: async (isSo) => {
      const so = Promise.withResolvers<void>()
      const look = () => {
        if (isSo()) so.resolve()
      }
      watching.add(look)
      look()
      void ended.promise.then((how) => so.reject(new Error(`the stream ended (${how}) before`)))
      try {
        await so.promise
      } finally {
        watching.delete(look)
      }
    },
  }
}

/** Reads the chunked transfer coding (RFC 9112, 7.1). */
const chunkReader = (onData: (bytes: Uint8Array) => void) => {
  let buffer = Buffer.alloc(0)
  let complete = false
  return {
    feed: (bytes: Uint8Array): void => {
      buffer = Buffer.concat([buffer, bytes])
      while (!complete) {
        const lineEnd = buffer.indexOf('\r\n')
        if (lineEnd === -1) return
        const size = Number.parseInt(buffer.toString('latin1', 0, lineEnd), 16)
        const from = lineEnd + 2
        if (buffer.length < from + size + 2) return
        if (size > 0) onData(buffer.subarray(from, from + size))
        complete = size === 0
        buffer = buffer.subarray(from + size + 2)
      }
    },
    isComplete: () => complete,
  }
}

/**
 * lemlist's word for the state in a `status` event, on a stream of one export or of many.
 * `undefined` for any other event.
 */
export const stateOf = ({ event, data }: Pick<Received, 'event' | 'data'>): string | undefined => {
  if (event !== 'status') return undefined
  const told = JSON.parse(data)
  return (told.body ?? told).status.status
}

export const isState =
  (state: string) =>
  (event: Received): boolean =>
    stateOf(event) === state
