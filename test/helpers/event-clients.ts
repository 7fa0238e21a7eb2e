import { createRequire } from 'node:module'
import { type EventSourceMessage, fetchEventSource } from '@microsoft/fetch-event-source'
import { EventSource } from 'eventsource'
import { EventSource as UndiciEventSource } from 'undici'
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

// This package has no types.
const launchDarkly: { EventSource: EventSourceClass } = createRequire(import.meta.url)(
  'launchdarkly-eventsource',
)

const fetchEventSourceClient: EventClient = {
  name: '@microsoft/fetch-event-source',
  comesBack: false,
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
      // The library reports an event at every blank line, also at one that follows a comment.
      if (event !== '') hear({ event, data })
    }
    const { signal } = closing
    fetchEventSource(url, { fetch, signal, openWhenHidden: true, onmessage }).then(done, done)
    return { isOver: () => over, close: () => closing.abort() }
  },
}

export const CLIENTS: readonly EventClient[] = [
  standard('eventsource', EventSource),
  standard("undici's EventSource", UndiciEventSource),
  standard('launchdarkly-eventsource', launchDarkly.EventSource),
  fetchEventSourceClient,
]
