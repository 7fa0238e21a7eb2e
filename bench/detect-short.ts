import { createLemlist } from '../src/sandbox/lemlist.ts'
import { createRandom } from '../test/helpers/random.ts'
import { openStreams } from './event-streams.ts'
import { median } from './processes.ts'
import { type Server, startServer } from './server.ts'

/** Measures how soon the end of an export is seen that ends within a second. One at a time. */

export interface Short {
  readonly exports: number
  /** From the start of the export to the event, median, milliseconds. */
  readonly medianMs: number
  /** From its end to the event, median, milliseconds. */
  readonly afterEndMs: number
  /** How many were seen within 1.5 s of their start. */
  readonly soon: number
}

const EXPORTS = 40
const SHORTEST_MS = 200
const LONGEST_MS = 1_000
const SOON_MS = 1_500

interface Ref {
  readonly campaignId: string
  readonly exportId: string
}

/** Resolves to the time at which a stream says that the export is done, epoch milliseconds. */
const told = async (server: Server, ref: Ref): Promise<number> => {
  const { promise, resolve } = Promise.withResolvers<number>()
  const onText = () => (text: string) => {
    if (text.includes('"status":"done"')) resolve(Date.now())
  }
  const leave = await openStreams(server, [[ref]], { onText })
  const at = await promise
  leave()
  return at
}

export const measureShort = async (): Promise<Short> => {
  const lemlist = createLemlist()
  const server = await startServer('gateway.ts', {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ STORE_URL: 'memory:', LOG_LEVEL: 'warn' },
  })
  const random = createRandom(7)
  const afterStart: number[] = []
  const afterEnd: number[] = []
  try {
    while (afterStart.length < EXPORTS) {
      const durationMs = random.between(SHORTEST_MS, LONGEST_MS)
      const startedAt = Date.now()
      const ms = (await told(server, lemlist.add({ durationMs }))) - startedAt
      afterStart.push(ms)
      afterEnd.push(ms - durationMs)
    }
  } finally {
    await server.end()
    await lemlist.close()
  }
  return {
    ...{ exports: EXPORTS, medianMs: median(afterStart), afterEndMs: median(afterEnd) },
    soon: afterStart.filter((ms) => ms <= SOON_MS).length,
  }
}
