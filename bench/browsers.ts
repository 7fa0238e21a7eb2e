import { setTimeout as delay } from 'node:timers/promises'
import { createRateWindows } from '../src/sandbox/rate-window.ts'
import { createRandom } from '../test/helpers/random.ts'
import { durationMs } from '../test/helpers/simulation/duration.ts'
import { CAMPAIGN, note, type Pending } from './pending.ts'

/**
 * What there is without a gateway: each frontend asks lemlist itself every 5 s. One that is refused
 * waits as long as lemlist says, and asks again.
 */

/** How many frontends show the same export. */
export const FRONTENDS = 3
export const INTERVAL_MS = 5_000
const LIMIT = { calls: 20, windowMs: 2_000 }
/** A frontend's way to lemlist takes at random up to this, so that not the same ones always win. */
const LONGEST_WAY_MS = 100

interface Crowd {
  /** How many exports are pending at a time. */
  readonly count: number
  readonly medianMs: number
  /** The measured time, milliseconds. As long before it the crowd settles. */
  readonly runMs: number
  readonly seed: number
}

interface Shown {
  readonly doneAt: number
  /** How many frontends do not know that it is done. */
  left: number
}

/** The delays of all frontends on virtual time, from done at lemlist to the frontend; milliseconds. */
export const virtualBrowsers = ({ count, medianMs, runMs, seed }: Crowd): number[] => {
  const random = createRandom(seed)
  let now = 0
  const rates = createRateWindows(LIMIT, () => now)
  const due = new Map<number, Shown[]>()
  const delays: number[] = []
  const ask = (at: number, one: Shown): void => {
    const others = due.get(at)
    if (others === undefined) due.set(at, [one])
    else others.push(one)
  }
  const begin = (): void => {
    const one = { doneAt: now + durationMs(medianMs, random), left: FRONTENDS }
    for (let left = FRONTENDS; left > 0; left -= 1) ask(now + random.between(1, INTERVAL_MS), one)
  }
  const isMeasured = ({ doneAt }: Shown): boolean => doneAt >= runMs && doneAt <= 2 * runMs
  const turn = (one: Shown): void => {
    const { admitted, resetInMs } = rates.take('key')
    if (!admitted || now < one.doneAt) {
      const againMs = resetInMs + random.between(1, LONGEST_WAY_MS)
      ask(now + (admitted ? INTERVAL_MS : againMs), one)
      return
    }
    if (isMeasured(one)) delays.push(now - one.doneAt)
    one.left -= 1
    if (one.left === 0) begin()
  }
  for (let left = count; left > 0; left -= 1) begin()
  for (; now < 2 * runMs; now += 1) {
    for (const one of due.get(now) ?? []) turn(one)
    due.delete(now)
  }
  // Those that were not told by the end have waited until now.
  for (const one of [...due.values()].flat()) {
    if (isMeasured(one) && one.doneAt <= now) delays.push(now - one.doneAt)
  }
  return delays
}

/** Asks the sandbox as all frontends do, until the returned function is called. */
export const realBrowsers = (baseUrl: string, exports: readonly Pending[]): (() => void) => {
  const leaving = new AbortController()
  const { signal } = leaving
  const headers = { authorization: `Basic ${btoa(':sandbox-key')}` }
  const watch = async (one: Pending, frontend: number): Promise<void> => {
    await delay(Math.random() * INTERVAL_MS, undefined, { signal })
    for (;;) {
      const url = `${baseUrl}/campaigns/${CAMPAIGN}/export/${one.exportId}/status`
      const answer = await fetch(url, { headers, signal })
      const body = await answer.text()
      if (body.includes('"status":"done"')) return note(one, frontend)
      const waitMs =
        answer.status === 429 ? Number(answer.headers.get('retry-after')) * 1_000 : INTERVAL_MS
      await delay(waitMs + Math.random() * LONGEST_WAY_MS, undefined, { signal })
    }
  }
  for (const one of exports) {
    for (let frontend = 0; frontend < FRONTENDS; frontend += 1) {
      watch(one, frontend).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
    }
  }
  return () => leaving.abort()
}
