import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { statusPath } from '../gateway.ts'
import { nextTurn, type Recorder, stateIn } from './checking/record.ts'
import type { Replica } from './replica.ts'
import type { Story } from './story.ts'

interface ReaderOptions {
  readonly client: string
  readonly story: Story
  readonly recorder: Recorder
}

/** What a read may get. 503 and 504 mean trouble of the budget, of lemlist or of the gateway. */
const PASSING: readonly number[] = [200, 503, 504]
const LONGEST_READ_MS = 15_000

/** Reads once and records what the client is shown. Resolves to the status, if there is one. */
export const readOnce = async (
  { client, story, recorder }: ReaderOptions,
  replica: Replica,
): Promise<number | undefined> => {
  const { key } = story
  const askedAt = performance.now()
  const ask = { key, from: askedAt, to: Number.POSITIVE_INFINITY }
  recorder.asks.push(ask)
  try {
    const signal = AbortSignal.timeout(LONGEST_READ_MS)
    const response = await fetch(replica.url() + statusPath(story), { signal })
    const body = await response.text()
    const { status, headers } = response
    const at = performance.now()
    if (!PASSING.includes(status)) {
      recorder.refusals.push({ client, status, replica: replica.name, at })
    }
    const code = status === 200 ? undefined : String(JSON.parse(body).code)
    recorder.answers.push({ client, key, replica: replica.name, status, code, askedAt, at })
    if (status !== 200) return status
    const version = headers.get('etag')?.replaceAll('"', '') ?? ''
    const stale = headers.get('cache-status')?.includes('detail=STALE') === true
    recorder.sightings.push({
      ...{ client, key, via: 'read', body, version, state: stateIn(body), stale },
      ...{ replica: replica.name, turn: nextTurn(), at, askedAt },
    })
    return status
  } catch {
    // The replica was killed or answered too late. The next read may go to another one.
    return undefined
  } finally {
    ask.to = performance.now()
  }
}

/** Reads again and again, at the replica that `pick` chooses, until the test or the signal ends. */
export const readOn = (
  options: ReaderOptions & {
    readonly pick: () => Replica
    readonly everyMs: number
    readonly signal?: AbortSignal
  },
): void => {
  const ended = new AbortController()
  const signals = [ended.signal, ...(options.signal === undefined ? [] : [options.signal])]
  const signal = AbortSignal.any(signals)
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await readOnce(options, options.pick())
      await delay(options.everyMs, undefined, { signal })
    }
  }
  const running = run().catch(() => {})
  onTestFinished(async () => {
    ended.abort()
    await running
  })
}
