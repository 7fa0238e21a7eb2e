import { onTestFinished } from 'vitest'
import { type EventConnection, openEvents, type Received } from './event-connection.ts'

/**
 * The rules of EventSource (WHATWG HTML, 9.2) on bare sockets, thousands of them: it comes back after
 * `retry:` whenever a 200 or a connection ends, with the last id, and any other status ends it for good.
 */
export interface BareEventSource {
  /** Of every response it got, in order. Live. */
  readonly statuses: readonly number[]
  /** Of all connections, in order. Live. */
  readonly events: readonly Received[]
  /** Resolves with the first event that passes, of whatever connection. */
  waitFor(passes: (event: Received) => boolean): Promise<Received>
  /** Resolves with the status that ended it for good. */
  readonly stopped: Promise<number>
}

/** The standard leaves the first value to the client; a second keeps tests short. */
const DEFAULT_RETRY_MS = 1_000

/** Comes back until it is stopped or the test ends. */
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
      retryMs = connection.retryMs() ?? retryMs
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
