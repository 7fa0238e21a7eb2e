import { onTestFinished } from 'vitest'
import { type EventConnection, openEvents, type Received } from '../event-connection.ts'
import { eventsPath, manyEventsPath } from '../gateway.ts'
import { isFinalState, keyOf, nextTurn, type Recorder, stateIn } from './checking/record.ts'
import { readOn } from './readers.ts'
import type { Replica } from './replica.ts'
import { ACCOUNT, type Story } from './story.ts'

/** A client that follows exports by the rules of EventSource and records what it is shown. */
export interface Follower {
  readonly client: string
  /** Resolves when the client is shown its first status. */
  readonly told: Promise<void>
  /** Resolves when the client has been shown a final status of every one of its exports. */
  readonly finished: Promise<void>
  isFinished(): boolean
  /** Resolves with the HTTP status that told the client to stop. */
  readonly stopped: Promise<number>
  /** Opens one more connection, as a page does that is shown again. Resolves when it has ended. */
  comeBack(): Promise<void>
  /** When and where the client opened each connection. The list grows. */
  readonly connects: readonly { readonly at: number; readonly replica: string }[]
  /** Breaks the connection, as happens when a mobile phone changes its network. */
  drop(): void
}

export interface FollowerOptions {
  readonly client: string
  /** A single export is followed on its own stream, several on one many-exports stream. */
  readonly stories: readonly [Story, ...Story[]]
  /** Chooses the replica for the next connection. */
  readonly pick: () => Replica
  readonly recorder: Recorder
  /** The longest time before it comes back, whatever `retry:` says, milliseconds. */
  readonly longestRetryMs?: number
}

/** The time before a first `retry:`. The standard lets clients choose it; 1 s keeps tests short. */
const DEFAULT_RETRY_MS = 1_000
/** No longer than a rotation asks for: a test cannot wait for the hour that `end` asks for. */
const LONGEST_RETRY_MS = 5_000

export const follow = (options: FollowerOptions): Follower => {
  const { client, stories, pick, recorder, longestRetryMs = LONGEST_RETRY_MS } = options
  const [only, ...others] = stories
  const path = others.length === 0 ? eventsPath(only) : manyEventsPath(stories)
  const connects: { at: number; replica: string }[] = []
  const open = new Set(stories.map(({ key }) => key))
  const told = Promise.withResolvers<void>()
  const finished = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<number>()
  let lastEventId: string | undefined
  let retryMs = Math.min(DEFAULT_RETRY_MS, longestRetryMs)
  let connection: EventConnection | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const begin = performance.now()
  for (const { key } of stories) recorder.follows.push({ client, key, from: begin })

  const connect = (): Promise<void> => {
    const replica = pick()
    const askedAt = performance.now()
    const turn = nextTurn()
    connects.push({ at: askedAt, replica: replica.name })
    if (lastEventId !== undefined) {
      const keys = stories.map(({ key }) => key)
      recorder.returns.push({ client, keys, replica: replica.name, at: askedAt })
    }
    const asks = stories.map(({ key }) => ({ key, from: askedAt, to: Number.POSITIVE_INFINITY }))
    recorder.asks.push(...asks)
    const onEvent = (event: Received): void => {
      if (event.id !== '') lastEventId = event.id
      const status = statusIn(event, only)
      if (status === undefined) return
      told.resolve()
      const { key, body } = status
      for (const ask of asks) if (ask.key === key) ask.to = Math.min(ask.to, event.at)
      const state = stateIn(body)
      // On a many-exports stream the id names the state of all exports, not the version of one.
      const version = others.length === 0 ? event.id : undefined
      const via = 'stream'
      recorder.sightings.push({
        ...{ client, key, via, body, version, state, turn, askedAt },
        ...{ replica: replica.name, at: event.at, stale: false },
      })
      if (isFinalState(state)) open.delete(key)
      if (open.size === 0) finished.resolve()
    }
    const opened = openEvents(replica.url() + path, {
      ...(lastEventId !== undefined && { lastEventId }),
      onEvent,
    })
    connection = opened
    return opened.ended.then(() => {
      const at = performance.now()
      for (const ask of asks) ask.to = Math.min(ask.to, at)
      const status = opened.status()
      retryMs = Math.min(opened.retryMs() ?? retryMs, longestRetryMs)
      if (status !== undefined && status !== 200) {
        if (status !== 204) recorder.refusals.push({ client, status, replica: replica.name, at })
        stopped.resolve(status)
      } else if (!closed) timer = setTimeout(() => void connect(), retryMs)
    })
  }

  void connect()
  onTestFinished(() => {
    closed = true
    clearTimeout(timer)
    connection?.socket.destroy()
  })
  return {
    client,
    told: told.promise,
    finished: finished.promise,
    isFinished: () => open.size === 0,
    stopped: stopped.promise,
    comeBack: connect,
    connects,
    drop: () => void connection?.socket.resetAndDestroy(),
  }
}

/** Roaming clients come back soon, as a page does whose network is back. */
const ROAMING_RETRY_MS = 500

/**
 * Follows, and loses its connection again and again until it has seen the end. In between it reads
 * the last of its exports at any replica.
 */
export const roam = (
  options: FollowerOptions & { readonly everyMs: number; readonly pickRead: () => Replica },
): Follower => {
  const { client, stories, everyMs, pickRead: pick, recorder } = options
  const story = stories.at(-1) ?? stories[0]
  const follower = follow({ ...options, longestRetryMs: ROAMING_RETRY_MS })
  readOn({ client, story, everyMs, recorder, pick })
  const timer = setInterval(() => {
    if (!follower.isFinished()) follower.drop()
  }, everyMs)
  onTestFinished(() => clearInterval(timer))
  return follower
}

/** The export and lemlist's unchanged body in a `status` event; `undefined` for other events. */
const statusIn = (
  { event, data }: Received,
  only: Story,
): { key: string; body: string } | undefined => {
  if (event !== 'status') return undefined
  const { campaignId, exportId, body } = JSON.parse(data)
  if (body === undefined) return { key: only.key, body: data }
  // The bodies of the tests are made by JSON.stringify, so this restores the same bytes.
  return { key: keyOf(ACCOUNT, campaignId, exportId), body: JSON.stringify(body) }
}
