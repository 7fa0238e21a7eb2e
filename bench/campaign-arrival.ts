import { setTimeout as delay } from 'node:timers/promises'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { median, print } from './processes.ts'
import { startServer } from './server.ts'

const STARTS = 40
const PAUSE_MS = 200

/** How long after the answer to its start an export is on a stream of the same process. */
export const measureArrival = async (campaignId: string): Promise<void> => {
  const lemlist = createLemlist({ rateLimit: { calls: 1_000_000, windowMs: 2_000 } })
  lemlist.add({ campaignId, outcome: 'never' })
  const server = await startServer('gateway.ts', {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ STORE_URL: 'memory:', LEMLIST_RATE_LIMIT: '1000000', LOG_LEVEL: 'warn' },
  })
  const path = `${server.url}/campaigns/${campaignId}`
  const hangUp = new AbortController()
  const stream = await fetch(`${path}/events`, { signal: hangUp.signal })
  const seen = new Map<string, number>()
  const read = async (): Promise<void> => {
    let text = ''
    for await (const bytes of stream.body ?? []) {
      text += Buffer.from(bytes).toString()
      for (const [, id = ''] of text.matchAll(/"exportId":"(\w+)"/g)) {
        if (!seen.has(id)) seen.set(id, performance.now())
      }
      text = text.slice(text.lastIndexOf('\n') + 1)
    }
  }
  const reading = read().catch(() => {})
  const times: number[] = []
  for (let round = 0; round < STARTS; round += 1) {
    const answer = await fetch(`${path}/export/start`, { method: 'POST' })
    const answeredAt = performance.now()
    await answer.text()
    const [, id = ''] = /(\w+)\/status$/.exec(answer.headers.get('location') ?? '') ?? []
    if (id === '') throw new Error(`not started: ${answer.status}`)
    while (!seen.has(id)) await delay(1)
    times.push((seen.get(id) ?? Number.NaN) - answeredAt)
    await delay(PAUSE_MS)
  }
  hangUp.abort()
  await reading
  await server.end()
  await lemlist.close()
  print(
    `An export is on a stream ${median(times).toFixed(1)} ms after the answer to its start, ${Math.max(...times).toFixed(1)} at most (${STARTS} starts)`,
  )
}
