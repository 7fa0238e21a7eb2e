import { createRequire } from 'node:module'
import { type EventSourceMessage, fetchEventSource } from '@microsoft/fetch-event-source'
import { EventSource } from 'eventsource'
import { EventSource as UndiciEventSource } from 'undici'
import { vi } from 'vitest'

/** The libraries that people use to read event streams outside of a browser. */

export interface Heard {
  readonly event: string
  readonly data: string
}

export interface EventClient {
  readonly name: string
  /** Whether it comes back after a clean end, as the standard asks. */
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
    // One of them takes an error that nobody listens to for a crash.
    source.addEventListener('error', () => {})
    for (const event of NAMES) {
      source.addEventListener(event, ({ data }) => {
        // launchdarkly-eventsource has an `end` of its own, without data, whenever a response is over.
        if (data !== undefined) hear({ event, data })
      })
    }
    return { isOver: () => source.readyState === CLOSED, close: () => source.close() }
  },
})

// It comes without types.
const launchDarkly: { EventSource: EventSourceClass } = createRequire(import.meta.url)(
  'launchdarkly-eventsource',
)

const fetchEventSourceClient: EventClient = {
  name: '@microsoft/fetch-event-source',
  comesBack: false,
  open: (url, hear) => {
    // Written for browsers: outside of one it asks for these all the same.
    vi.stubGlobal('window', globalThis)
    vi.stubGlobal('document', { removeEventListener: () => {} })
    const closing = new AbortController()
    let over = false
    const done = () => {
      over = true
    }
    const onmessage = ({ event, data }: EventSourceMessage) => {
      // It takes every blank line for an event, that after a comment too.
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
