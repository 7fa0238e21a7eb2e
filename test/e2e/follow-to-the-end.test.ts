import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { KEY, statusPath } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'

/** lemlist's 2 h and the file's 24 h, each scaled by a factor of its own: it is their order that counts. */
const STATUS_LIFE_MS = 4_000
const FILE_LIFE_MS = 7_000
const SCALE = (2 * 60 * 60 * 1_000) / STATUS_LIFE_MS

/** A status or a problem. */
const answer = z.looseObject({ status: z.unknown() })
const finished = z.object({ status: z.literal('done'), endedAt: z.iso.datetime(), url: z.url() })

const statusOf = async (url: string) => {
  const response = await fetch(url)
  const body = answer.parse(await response.json())
  return { status: response.status, body, at: Date.now() }
}

/** Asks until it is answered with another status. */
const whileAnswered = async (url: string, status: number) => {
  let last = await statusOf(url)
  const deadline = Date.now() + 60_000
  for (;;) {
    const next = await statusOf(url)
    if (next.status !== status) return { last, next }
    if (Date.now() > deadline) throw new Error(`still ${status}`)
    last = next
    await delay(50)
  }
}

describe('an export that was seen pending once, by a gateway that was killed then', () => {
  it('is done with its link until the end of its file, then expired, then unknown', async () => {
    const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED, timeScale: SCALE })
    const baseUrl = await lemlist.listen()
    onTestFinished(() => lemlist.close())
    const env = {
      LEMLIST_API_KEY: KEY,
      LEMLIST_BASE_URL: baseUrl,
      STORE_URL: `sqlite:${join(tempDirectory(), 'gateway.sqlite')}`,
      POLL_IDLE_INTERVAL_MS: '200',
      EXPORT_TTL_MS: String(STATUS_LIFE_MS),
      FILE_TTL_MS: String(FILE_LIFE_MS),
    }
    const ref = lemlist.add({ outcome: 'never' })
    const before = await spawnGateway(env)
    const seen = await statusOf(before.url + statusPath(ref))
    expect(seen.body).toMatchObject({ status: { status: 'pending' } })
    await before.end('SIGKILL')
    lemlist.finish(ref.exportId)
    lemlist.clearCalls()

    // Nobody asks this one for anything until lemlist has forgotten the export.
    const { url } = await spawnGateway(env)
    await lemlist.waitForCalls(1)
    const authorization = `Basic ${Buffer.from(`:${KEY}`).toString('base64')}`
    const forgotten = async () =>
      (
        await fetch(`${baseUrl}/campaigns/${ref.campaignId}/export/${ref.exportId}/status`, {
          headers: { authorization },
        })
      ).status === 404
    while (!(await forgotten())) await delay(200)

    lemlist.clearCalls()
    const done = await whileAnswered(url + statusPath(ref), 200)
    const { url: link, endedAt } = finished.parse(done.last.body.status)
    expect(link).toMatch(/^http.*\.csv$/)
    const endOfLife = Date.parse(endedAt) + FILE_LIFE_MS
    expect(done.last.at).toBeGreaterThan(endOfLife - 1_000)
    expect(done.next).toMatchObject({ status: 410, body: { code: 'export-expired' } })
    expect(done.next.at).toBeGreaterThanOrEqual(endOfLife)
    const expired = await whileAnswered(url + statusPath(ref), 410)
    expect(lemlist.calls.filter(({ at }) => at < expired.last.at)).toHaveLength(1)
    expect(expired.next).toMatchObject({ status: 404, body: { code: 'export-not-found' } })
    expect(expired.next.at).toBeGreaterThanOrEqual(endOfLife + FILE_LIFE_MS)
  })
})
