import { Agent, get as httpGet } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isState, openEvents } from '../helpers/event-connection.ts'
import { BOUNDLESS } from '../helpers/faults.ts'
import { eventsPath, startGateway, statusPath } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'

const CROWD = 1_000

type Ref = { readonly campaignId: string; readonly exportId: string }

const start = async (intervalMs: number) => {
  const env = {
    ...BOUNDLESS,
    POLL_FIRST_MS: '100',
    POLL_INTERVAL_MS: String(intervalMs),
    POLL_MAX_INTERVAL_MS: String(intervalMs),
  }
  const gateway = await startGateway({ env, lemlist: { rateLimit: UNLIMITED } })
  const { url, lemlist } = gateway
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())

  const read = (ref: Ref, headers: Readonly<Record<string, string>> = {}) =>
    new Promise<string>((resolve, reject) => {
      const request = httpGet(url + statusPath(ref), { agent, headers }, (response) => {
        let body = ''
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString()
        })
        response.on('end', () => resolve(JSON.parse(body).status?.status))
      })
      request.on('error', reject)
    })
  const watch = (ref: Ref) => {
    const stream = openEvents(url + eventsPath(ref))
    onTestFinished(() => void stream.socket.destroy())
    return stream
  }
  const callsFor = (ref: Ref) => lemlist.calls.filter(({ exportId }) => exportId === ref.exportId)
  const pending = () => {
    const ref = lemlist.add({ outcome: 'never' })
    lemlist.progress(ref.exportId, 1, 2)
    return ref
  }
  return { lemlist, read, watch, callsFor, pending }
}

describe('one export and all who follow it', () => {
  it('costs lemlist the same calls for 1 as for 1 000 subscribers and 1 000 waits', async () => {
    const { lemlist, read, watch, callsFor, pending } = await start(500)
    const lonely = pending()
    const popular = pending()
    const one = watch(lonely)
    const crowd = Array.from({ length: CROWD }, () => watch(popular))
    const waits = Array.from({ length: CROWD }, () => read(popular, { prefer: 'wait=60' }))
    await Promise.all([one, ...crowd].map((stream) => stream.waitFor(isState('pending'))))
    // All of the connects: the first of them asked lemlist, the rest cost nothing.
    expect(callsFor(popular).length).toBeLessThanOrEqual(callsFor(lonely).length + 1)

    lemlist.clearCalls()
    await lemlist.waitForCalls(12, ({ exportId }) => exportId === lonely.exportId)
    const forOne = callsFor(lonely).length
    const forAll = callsFor(popular).length
    // Each poll has its own jitter, so the two drift apart by one at most.
    expect(Math.abs(forAll - forOne)).toBeLessThanOrEqual(1)

    lemlist.clearCalls()
    lemlist.finish(popular.exportId)
    await Promise.all(crowd.map((stream) => stream.waitFor(isState('done'))))
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['done']))
    expect(callsFor(popular)).toHaveLength(1)
  })
})

describe("a caller's GET of a pending export that is watched", () => {
  it('costs one call and takes the place of the next poll', async () => {
    const intervalMs = 500
    const { lemlist, read, watch, callsFor, pending } = await start(intervalMs)
    const ref = pending()
    const stream = watch(ref)
    await stream.waitFor(isState('pending'))
    // Past the first look, which comes at a time of its own.
    await lemlist.waitForCalls(3)
    lemlist.clearCalls()
    const reads = 10
    for (let count = 1; count <= reads; count += 1) {
      expect(await read(ref)).toBe('pending')
      if (count < reads) await delay(intervalMs / 4)
    }
    // Looks by callers four times an interval leave nothing to poll for.
    expect(callsFor(ref)).toHaveLength(reads)
    await lemlist.waitForCalls(reads + 1)
    const [lastRead, nextPoll] = callsFor(ref).slice(-2)
    const gapMs = (nextPoll?.at ?? 0) - (lastRead?.at ?? 0)
    // The contract grants 10 % of jitter; a call and its answer take their time, too.
    expect(gapMs).toBeGreaterThanOrEqual(0.9 * intervalMs)
    expect(gapMs).toBeLessThan(2 * intervalMs + 500)
  })
})
