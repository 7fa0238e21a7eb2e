import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { entry, KEYS } from '../helpers/callers.ts'
import { COLLECTING, keptMemory } from '../helpers/kept-memory.ts'
import { createMalformed } from '../helpers/malformed-flood.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'
import { createRandom } from '../helpers/random.ts'
import { ask, exchange, rawRequest } from '../helpers/wire.ts'

const REQUESTS = 10_000
const AT_ONCE = 40
const MOST_MORE_MIB = 20
const SEED = Number(process.env.MALFORMED_SEED ?? 20_261_126)

const start = async () => {
  const lemlist = createLemlist({ apiKeys: ['lemlist-key'] })
  const LEMLIST_BASE_URL = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const ACCESS_FILE = join(tempDirectory(), 'access.json')
  writeFileSync(ACCESS_FILE, JSON.stringify({ callers: { crm: entry(KEYS.crm) } }))
  const gateway = await spawnGateway({
    ...{ LEMLIST_API_KEY: 'lemlist-key', LEMLIST_BASE_URL, STORE_URL: 'memory:' },
    ...{ AUTH: 'keys', ACCESS_FILE, CALLER_RATE_LIMIT: '1000000' },
    ...COLLECTING,
  })
  return { lemlist, gateway }
}

describe('a gateway that gets 10 000 malformed requests, many of them with a valid key', () => {
  it('answers each, none with a 5xx, passes none on, lives, and keeps no more memory', async () => {
    const { lemlist, gateway } = await start()
    const malformed = createMalformed(createRandom(SEED), `X-Api-Key: ${KEYS.crm}`)
    const statuses = new Set<string>()
    let withKey = 0
    let resent = 0
    const send = async (count: number): Promise<void> => {
      let left = count
      const client = async (): Promise<void> => {
        while (left > 0) {
          left -= 1
          const bytes = malformed.next()
          withKey += bytes.includes(KEYS.crm) ? 1 : 0
          // Node gives the answer up when it reads the end of the requests before. So those few that
          // got none are sent again, without that end.
          let text = await exchange(gateway.url, bytes, { thenEnd: true })
          if (text === '') {
            resent += 1
            text = await exchange(gateway.url, bytes)
          }
          const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'none'
          const sent = `seed ${SEED}: ${JSON.stringify(bytes.toString('latin1'))}`
          expect(status, sent).toMatch(/^[234]/)
          statuses.add(status)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, client))
    }
    // The first thousands have V8 compile, and its heap grow to what it needs.
    await send(REQUESTS / 2)
    const before = await keptMemory(gateway)
    await send(REQUESTS)
    const after = await keptMemory(gateway)
    expect(after.heapUsed - before.heapUsed).toBeLessThan(MOST_MORE_MIB)
    expect(after.rss - before.rss).toBeLessThan(MOST_MORE_MIB)
    // The parser, the guard, the check of the key and the router have refused some each.
    const all = ['400', '401', '404', '413', '414', '421', '431']
    expect([...statuses]).toEqual(expect.arrayContaining(all))
    // Some requests have no place for a key, because they are no HTTP.
    expect(withKey).toBeGreaterThan(0.35 * (REQUESTS + REQUESTS / 2))
    expect(resent).toBeLessThan(REQUESTS / 50)
    expect(lemlist.calls).toEqual([])
    expect(gateway.child.exitCode).toBeNull()
    expect(await ask(gateway.url, rawRequest('/health/live'))).toMatchObject({ status: 200 })
    expect(gateway.output()).not.toMatch(/"level":[56]0/)
  })
})
