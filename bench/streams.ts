import { z } from 'zod'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { median, message, print, startLoad, startServer } from './processes.ts'

/** Measures what an open event stream costs, and how long a change takes to reach all streams. */

const STREAMS = 2_000
const CHANGES = 10
const IDLE_MS = 5_000

const openedMessage = z.object({ openedMs: z.number() })
const seenMessage = z.object({ first: z.string(), last: z.string(), lost: z.number() })

export const measureStreams = async (): Promise<void> => {
  const lemlist = createLemlist({ rateLimit: { calls: 1_000_000_000, windowMs: 2_000 } })
  const server = await startServer('gateway.ts', {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ STORE_URL: 'memory:', LOG_LEVEL: 'warn' },
    ...{ POLL_FIRST_MS: '300', POLL_INTERVAL_MS: '300', POLL_MAX_INTERVAL_MS: '300' },
    ...{ LEMLIST_RATE_LIMIT: '1000', LEMLIST_RATE_RESERVE: '0' },
  })
  const load = startLoad('streams-load.ts')
  try {
    const { campaignId, exportId } = lemlist.add({ outcome: 'never' })
    lemlist.progress(exportId, 0, 1_000)
    const path = `/campaigns/${campaignId}/export/${exportId}`
    await (await fetch(`${server.url}${path}/status`)).arrayBuffer()
    const before = await server.residentBytes()
    load.child.send({ url: `${server.url}${path}/events`, streams: STREAMS })
    const { openedMs } = await message(load.child, openedMessage)
    const opened = await server.residentBytes()

    const cpuBefore = server.cpuMs()
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
    const idleCpu = (server.cpuMs() - cpuBefore) / IDLE_MS

    const spans: number[] = []
    const delays: number[] = []
    for (let change = 1; change <= CHANGES; change += 1) {
      const changedAt = performance.now()
      const offset = Number(process.hrtime.bigint()) / 1e6 - changedAt
      const next = message(load.child, seenMessage)
      lemlist.progress(exportId, change, 1_000)
      const { first, last, lost } = await next
      if (lost > 0) throw new Error(`${lost} streams were lost`)
      const asked = lemlist.calls.find(({ at }) => at >= changedAt)
      if (asked === undefined) throw new Error('an event came although lemlist was not asked')
      spans.push((Number(last) - Number(first)) / 1e6)
      delays.push(Number(last) / 1e6 - offset - asked.at)
    }
    const after = await server.residentBytes()
    const perStream = (bytes: number): string => ((bytes - before) / STREAMS / 1_024).toFixed(1)

    print(`${STREAMS} streams of one export:`)
    print(
      `  opened in ${Math.round(openedMs)} ms, ${Math.round((STREAMS * 1_000) / openedMs)} a second`,
    )
    print(
      `  memory: ${perStream(opened)} KiB a stream, ${perStream(after)} KiB after ${CHANGES} events`,
    )
    print(`  idle: ${(idleCpu * 100).toFixed(1)} % of a core`)
    print(
      `  a change: the last client has it ${median(delays).toFixed(0)} ms after lemlist was asked ` +
        `(${Math.min(...delays).toFixed(0)} to ${Math.max(...delays).toFixed(0)}), ` +
        `${median(spans).toFixed(0)} ms after the first client; ${CHANGES} changes`,
    )
  } finally {
    load.end()
    await server.end()
    await lemlist.close()
  }
}
