import { createRequire } from 'node:module'
import { type EventSourceMessage, fetchEventSource } from '@microsoft/fetch-event-source'
import { EventSource } from 'eventsource'
import { createParser } from 'eventsource-parser'
import { EventSource as UndiciEventSource, MessageEvent as UndiciMessageEvent } from 'undici'
import { vi } from 'vitest'

/** Libraries with which programs outside of a browser read event streams. */

export interface Heard {
  readonly event: string
  readonly data: string
}

export interface EventClient {
  readonly name: string
  /** Whether the library reconnects after a clean end, as the standard requires. */
  readonly comesBack: boolean
  /** Whether a 204 ends the library's reconnecting, as the standard requires. */
  readonly obeys204: boolean
  open(url: string, hear: (event: Heard) => void): { isOver(): boolean; close(): void }
}

const NAMES = ['status', 'problem', 'gone', 'end'] as const
const CLOSED = 2

interface EventSourceLike {
  readonly readyState: number
  addEventListener(name: string, listener: (event: { data?: string }) => void): void
  close(): void
}

type EventSourceClass = new (url: string) => EventSourceLike

const standard = (name: string, Source: EventSourceClass): EventClient => ({
  name,
  comesBack: true,
  obeys204: true,
  open: (url, hear) => {
    const source = new Source(url)
    // launchdarkly-eventsource is an EventEmitter: it throws an `error` that has no listener.
    source.addEventListener('error', () => {})
    for (const event of NAMES) {
      source.addEventListener(event, ({ data }) => {
        // launchdarkly-eventsource emits an `end` of its own, without data, when a response ends.
        if (data !== undefined) hear({ event, data })
      })
    }
    return { isOver: () => source.readyState === CLOSED, close: () => source.close() }
  },
})

// The first two packages have no types, and those of the third do not fit an ES module.
const require = createRequire(import.meta.url)
const launchDarkly: { EventSource: EventSourceClass } = require('launchdarkly-eventsource')
const polyfill: { EventSourcePolyfill: EventSourceClass } = require('event-source-polyfill')
const reconnecting: {
  default: new (url: string, options: { eventSourceClass: EventSourceClass }) => EventSourceLike
} = require('reconnecting-eventsource')

/** A wrapper around a browser's EventSource. It makes a new one whenever the old one has died. */
class ReconnectingEventSource extends reconnecting.default {
  constructor(url: string) {
    // The library asks whether an event is a `MessageEvent`, and needs the class that belongs to
    // this EventSource.
    vi.stubGlobal('MessageEvent', UndiciMessageEvent)
    super(url, { eventSourceClass: UndiciEventSource })
  }
}

const fetchEventSourceClient: EventClient = {
  name: '@microsoft/fetch-event-source',
  comesBack: false,
  obeys204: false,
  open: (url, hear) => {
    // The library is written for browsers and uses these globals without looking for them first.
    vi.stubGlobal('window', globalThis)
    vi.stubGlobal('document', { removeEventListener: () => {} })
    const closing = new AbortController()
    let over = false
    const done = () => {
      over = true
    }
    const onmessage = ({ event, data }: EventSourceMessage) => {
      // The library reports a message at every blank line, with or without data. What its user
      // throws here makes it reconnect.
      JSON.parse(data)
      hear({ event, data })
    }
    const { signal } = closing
    fetchEventSource(url, { fetch, signal, openWhenHidden: true, onmessage }).then(done, done)
    return { isOver: () => over, close: () => closing.abort() }
  },
}

/** A loop around fetch, as programs write it that need nothing else. */
const parserClient: EventClient = {
  name: 'fetch with eventsource-parser',
  comesBack: false,
  obeys204: false,
  open: (url, hear) => {
    const closing = new AbortController()
    let over = false
    const read = async () => {
      const { body } = await fetch(url, { signal: closing.signal })
      const parser = createParser({ onEvent: ({ event = '', data }) => hear({ event, data }) })
      const decoder = new TextDecoder()
      for await (const chunk of body ?? []) parser.feed(decoder.decode(chunk, { stream: true }))
      over = true
    }
    read().catch(() => {})
    return { isOver: () => over, close: () => closing.abort() }
  },
}

export const CLIENTS: readonly EventClient[] = [
  standard('eventsource', EventSource),
  standard("undici's EventSource", UndiciEventSource),
  standard('launchdarkly-eventsource', launchDarkly.EventSource),
  // It stumbles over an answer without a body, and takes that for a lost connection.
  { ...standard('event-source-polyfill', polyfill.EventSourcePolyfill), obeys204: false },
  { ...standard('reconnecting-eventsource', ReconnectingEventSource), obeys204: false },
  fetchEventSourceClient,
  parserClient,
]
