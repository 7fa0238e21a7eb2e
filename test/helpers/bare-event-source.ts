import { onTestFinished } from 'vitest'
import { type EventConnection, openEvents, type Received } from './event-connection.ts'

/**
 * A client that follows the rules of EventSource (WHATWG HTML, 9.2) on a bare socket, so that a
 * test can open thousands of them. When a 200 or a connection ends, the client waits for the time
 * of `retry:` and connects again with the last id. Any other status stops the client for good.
 */
export interface BareEventSource {
  /** The status of every response so far, in order. The list grows. */
  readonly statuses: readonly number[]
  /** The events of all connections so far, in order. The list grows. */
  readonly events: readonly Received[]
  /** Resolves with the first event of any connection that passes the test. */
  waitFor(passes: (event: Received) => boolean): Promise<Received>
  /** Resolves with the status that stopped the client for good. */
  readonly stopped: Promise<number>
}

/** The time before a first `retry:`. The standard lets clients choose it; 1 s keeps tests short. */
const DEFAULT_RETRY_MS = 1_000
/** No longer than a rotation asks for: a test cannot wait for the hour that `end` asks for. */
const LONGEST_RETRY_MS = 5_000

/** Opens a client that reconnects until a status stops it or the test ends. */
export const bareEventSource = (url: string): BareEventSource => {
  const statuses: number[] = []
  const events: Received[] = []
  const waiting = new Set<(event: Received) => void>()
  const stopped = Promise.withResolvers<number>()
  let retryMs = DEFAULT_RETRY_MS
  let lastEventId: string | undefined
  let connection: EventConnection
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const onEvent = (event: Received): void => {
    if (event.id !== '') lastEventId = event.id
    events.push(event)
    for (const tell of waiting) tell(event)
  }

  const open = (): void => {
    connection = openEvents(url, { ...(lastEventId !== undefined && { lastEventId }), onEvent })
    void connection.ended.then(() => {
      const status = connection.status()
      retryMs = Math.min(connection.retryMs() ?? retryMs, LONGEST_RETRY_MS)
      if (status !== undefined) statuses.push(status)
      if (status !== undefined && status !== 200) stopped.resolve(status)
      else if (!closed) timer = setTimeout(open, retryMs)
    })
  }

  open()
  onTestFinished(() => {
    closed = true
    clearTimeout(timer)
    connection.socket.destroy()
  })
  return {
    statuses,
    events,
    stopped: stopped.promise,
    waitFor: (passes) => {
      const early = events.find(passes)
      if (early !== undefined) return Promise.resolve(early)
      return new Promise((resolve) => {
        const tell = (event: Received) => {
          if (!passes(event)) return
          waiting.delete(tell)
          resolve(event)
        }
        waiting.add(tell)
      })
    },
  }
}
