import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { expectProblem } from '../helpers/faults.ts'
import { statusPath } from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'
import { CAMPAIGN, isStart, isStatus, start, startedIn } from '../helpers/starts.ts'

/** Keys of starts outlive a gateway that is killed. */

const key = 'once-and-no-more'

const begin = async () => {
  const lemlist = createLemlist({
    apiKeys: ['restart-key'],
    rateLimit: UNLIMITED,
    started: { durationMs: 3_600_000 },
  })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  lemlist.addCampaign(CAMPAIGN)
  const env = {
    ...FAST,
    LEMLIST_API_KEY: 'restart-key',
    LEMLIST_BASE_URL: baseUrl,
    LEMLIST_TIMEOUT_MS: '2000',
    STORE_URL: `sqlite:${join(tempDirectory(), 'gateway.sqlite')}`,
  }
  return { lemlist, gateway: () => spawnGateway(env) }
}

describe('a gateway that is killed', () => {
  it('after it has answered a start answers it again, and starts nothing', async () => {
    const { lemlist, gateway } = await begin()
    const before = await gateway()
    const first = await start(before, { key })
    await before.end('SIGKILL')
    const again = await start(await gateway(), { key })
    expect([again.status, again.text]).toEqual([201, first.text])
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    expect(lemlist.calls.filter(isStart)).toHaveLength(1)
  })

  it('after it has answered a start follows the export to its end', async () => {
    const { lemlist, gateway } = await begin()
    const before = await gateway()
    const ref = startedIn(await start(before, { key }))
    await before.end('SIGKILL')
    lemlist.clearCalls()
    const after = await gateway()
    await lemlist.waitForCalls(1, isStatus)
    lemlist.finish(ref.exportId)
    lemlist.clearCalls()
    await lemlist.waitForCalls(1, isStatus)
    lemlist.forget(ref.exportId)
    expect((await fetch(after.url + statusPath(ref))).status).toBe(200)
  })

  it('in the middle of a start knows that it was begun, and never begins it again', async () => {
    const { lemlist, gateway } = await begin()
    lemlist.script({ operation: 'start', times: 1 }, { hang: true })
    const before = await gateway()
    const lost = start(before, { key }).catch(() => 'lost')
    await lemlist.waitForCalls(1, isStart)
    await before.end('SIGKILL')
    expect(await lost).toBe('lost')

    const after = await gateway()
    // The start may take as long as a start may take at most: some 5 s here. A busy machine may need
    // as long for the new process.
    const codes = new Set<string>()
    const code = async () => {
      const { code }: { code: string } = JSON.parse((await start(after, { key })).text)
      codes.add(code)
      return code
    }
    await expect.poll(code, { timeout: 10_000, interval: 200 }).toBe('start-outcome-unknown')
    codes.delete('idempotency-in-progress')
    expect([...codes]).toEqual(['start-outcome-unknown'])
    expectProblem(await start(after, { key }), 'start-outcome-unknown')
    expect(lemlist.calls.filter(isStart)).toHaveLength(1)
    expect((await start(after, { key: 'another' })).status).toBe(201)
  })
})
