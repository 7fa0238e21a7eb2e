import { createRequire } from 'node:module'
import type { Transform } from 'node:stream'
import { createParser } from 'eventsource-parser'

/** Independent parsers of event streams. Tests compare their results to judge an encoder. */

export interface Parsed {
  readonly event: string
  readonly data: string
  /** The last id so far. The client would send it when it reconnects. */
  readonly lastEventId: string
}

export interface Verdict {
  readonly events: readonly Parsed[]
  /** The value of the last `retry:`, milliseconds. */
  readonly retryMs: number | undefined
}

export interface Judge {
  readonly name: string
  /** Parses a stream that arrives in these pieces. */
  read(chunks: readonly Uint8Array[]): Verdict
}

const eventsourceParser: Judge = {
  name: 'eventsource-parser',
  read: (chunks) => {
    const events: Parsed[] = []
    let lastEventId = ''
    let retryMs: number | undefined
    const parser = createParser({
      onEvent: ({ event, data, id }) => {
        lastEventId = id ?? lastEventId
        events.push({ event: event ?? 'message', data, lastEventId })
      },
      onRetry: (ms) => {
        retryMs = ms
      },
    })
    const text = new TextDecoder()
    for (const chunk of chunks) parser.feed(text.decode(chunk, { stream: true }))
    return { events, retryMs }
  },
}

interface UndiciEvent {
  readonly type: string
  readonly options: { readonly data: string; readonly lastEventId?: string }
}
interface UndiciOptions {
  readonly eventSourceSettings: { reconnectionTime?: number }
  readonly push: (event: UndiciEvent | null) => void
}

// This is the parser inside of undici's EventSource. It has no types.
const { EventSourceStream }: { EventSourceStream: new (options: UndiciOptions) => Transform } =
  createRequire(import.meta.url)('undici/lib/web/eventsource/eventsource-stream.js')

const undiciParser: Judge = {
  name: 'undici',
  read: (chunks) => {
    const events: Parsed[] = []
    const settings: { reconnectionTime?: number } = {}
    const stream = new EventSourceStream({
      eventSourceSettings: settings,
      push: (event) => {
        if (event === null) return
        const { data, lastEventId = '' } = event.options
        events.push({ event: event.type, data, lastEventId })
      },
    })
    for (const chunk of chunks) stream.write(Buffer.from(chunk))
    return { events, retryMs: settings.reconnectionTime }
  },
}

/** The algorithm of WHATWG HTML, 9.2.6, step by step, on the whole text at once. */
const standard: Judge = {
  name: 'the standard',
  read: (chunks) => {
    const events: Parsed[] = []
    let retryMs: number | undefined
    let [data, event, id, lastEventId] = ['', '', '', '']
    const dispatch = () => {
      lastEventId = id
      if (data !== '') {
        events.push({ event: event || 'message', data: data.replace(/\n$/, ''), lastEventId })
      }
      data = ''
      event = ''
    }
    const field = (name: string, value: string) => {
      if (name === 'event') event = value
      else if (name === 'data') data += `${value}\n`
      else if (name === 'id' && !value.includes('\0')) id = value
      else if (name === 'retry' && /^[0-9]+$/.test(value)) retryMs = Number(value)
    }
    const text = new TextDecoder().decode(Buffer.concat(chunks))
    const lines = text.split(/\r\n|\r|\n/)
    // Text after the last line end is not yet a line.
    for (const line of lines.slice(0, -1)) {
      const colon = line.indexOf(':')
      if (line === '') dispatch()
      else if (colon === -1) field(line, '')
      else if (colon > 0) field(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
    }
    return { events, retryMs }
  },
}

export const JUDGES: readonly Judge[] = [eventsourceParser, undiciParser, standard]
