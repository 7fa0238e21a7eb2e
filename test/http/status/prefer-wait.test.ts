import { describe, expect, it } from 'vitest'
import { countArrivals } from '../../helpers/arrivals.ts'
import { logLines, statusPath, type TestGateway } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'
import { startWatching } from '../../helpers/watching.ts'

const SLOW_POLLS = {
  POLL_FIRST_MS: '60000',
  POLL_INTERVAL_MS: '60000',
  POLL_MAX_INTERVAL_MS: '60000',
  POLL_IDLE_INTERVAL_MS: '60000',
}

const read = async ({ url }: Pick<TestGateway, 'url'>, prefer?: string, signal?: AbortSignal) => {
  const startedAt = performance.now()
  const response = await fetch(url + statusPath(REF), {
    headers: prefer === undefined ? {} : { prefer },
    signal: signal ?? null,
  })
  return {
    status: response.status,
    body: await response.text(),
    applied: response.headers.get('preference-applied'),
    cacheStatus: response.headers.get('cache-status'),
    retryAfter: response.headers.get('retry-after'),
    tookMs: performance.now() - startedAt,
  }
}

describe('a GET that prefers to wait', () => {
  it('is held until the export is final, and is then answered as a read is', async () => {
    const gateway = await startWatching()
    const { say, lemlist } = gateway
    say(pendingBody())
    const held = read(gateway, 'wait=60')
    await lemlist.waitForCalls(3)
    const body = doneBody()
    say(body)
    expect(await held).toMatchObject({ status: 200, body, applied: 'wait=60' })
    expect((await held).cacheStatus).toMatch(/^lemlist-gateway; hit; ttl=\d+$/)
  })

  it('is answered after N seconds with the pending status of that moment', async () => {
    const gateway = await startWatching(SLOW_POLLS)
    gateway.say(pendingBody())
    const answer = await read(gateway, 'wait=1')
    expect(answer).toMatchObject({ status: 200, body: pendingBody(), applied: 'wait=1' })
    expect(answer.tookMs).toBeGreaterThanOrEqual(950)
    expect(answer.retryAfter).toMatch(/^\d+$/)
    expect(gateway.lemlist.calls).toHaveLength(1)
  })

  it('is answered with the newest pending status, not with the first one', async () => {
    const gateway = await startWatching({
      POLL_FIRST_MS: '50',
      POLL_INTERVAL_MS: '5000',
      POLL_MAX_INTERVAL_MS: '5000',
    })
    gateway.lemlist.script({ times: 1 }, { body: pendingBody({ progress: 1 }) })
    gateway.say(pendingBody({ progress: 2 }))
    expect((await read(gateway, 'wait=1')).body).toBe(pendingBody({ progress: 2 }))
  })

  it.each([
    ['wait=61', 'wait=60'],
    ['wait=86400', 'wait=60'],
    ['respond-async, wait=7', 'wait=7'],
    ['wait="3"', 'wait=3'],
  ])('says which wait was applied: %s counts as %s', async (prefer, applied) => {
    const gateway = await startWatching()
    gateway.say(doneBody())
    expect((await read(gateway, prefer)).applied).toBe(applied)
  })

  it.each([undefined, 'wait', 'wait=', 'wait=-1', 'wait=abc', 'wait=1.5', 'respond-async'])(
    'is an ordinary read when it says %j',
    async (prefer) => {
      const gateway = await startWatching(SLOW_POLLS)
      gateway.say(pendingBody())
      const answer = await read(gateway, prefer)
      expect(answer).toMatchObject({ status: 200, body: pendingBody(), applied: null })
    },
  )

  it('is answered at once with wait=0', async () => {
    const gateway = await startWatching(SLOW_POLLS)
    gateway.say(pendingBody())
    const answered: string[] = []
    const asked = ['wait=1', 'wait=0'].map(async (wait) => {
      const answer = await read(gateway, wait)
      answered.push(wait)
      return answer
    })
    const [, answer] = await Promise.all(asked)
    expect(answer).toMatchObject({ status: 200, body: pendingBody(), applied: 'wait=0' })
    expect(answered).toEqual(['wait=0', 'wait=1'])
    expect(gateway.lemlist.calls).toHaveLength(1)
  })

  it('is answered at once when the export is final, however it ended', async () => {
    for (const body of [doneBody(), statusBody('error')]) {
      const gateway = await startWatching(SLOW_POLLS)
      gateway.say(body)
      for (let i = 0; i < 2; i += 1) {
        expect(await read(gateway, 'wait=60')).toMatchObject({ status: 200, body })
      }
      expect(gateway.lemlist.calls).toHaveLength(1)
    }
  })

  it('is answered at once, by one call, when lemlist does not know the export', async () => {
    const gateway = await startWatching(SLOW_POLLS)
    gateway.deny()
    const answer = await read(gateway, 'wait=60')
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([404, 'export-not-found'])
    expect(gateway.lemlist.calls).toHaveLength(1)
  })

  it('is answered when the export is gone meanwhile', async () => {
    const gateway = await startWatching()
    gateway.say(pendingBody())
    const held = read(gateway, 'wait=60')
    await gateway.lemlist.waitForCalls(2)
    gateway.deny()
    const { status, body } = await held
    expect([status, JSON.parse(body).code]).toEqual([404, 'export-timed-out'])
  })

  it('is held through trouble that passes', async () => {
    const gateway = await startWatching()
    gateway.fail(500)
    const held = read(gateway, 'wait=60')
    await gateway.lemlist.waitForCalls(2)
    const body = doneBody()
    gateway.say(body)
    expect(await held).toMatchObject({ status: 200, body })
  })

  it('is told of trouble that did not pass in time', async () => {
    const gateway = await startWatching(SLOW_POLLS)
    gateway.fail(500)
    const { status, body } = await read(gateway, 'wait=1')
    expect([status, JSON.parse(body).code]).toEqual([503, 'upstream-unavailable'])
  })

  it('is answered with the pending status when the gateway stops', async () => {
    const gateway = await startWatching(SLOW_POLLS)
    gateway.say(pendingBody())
    const arrived = countArrivals(gateway.app)
    const held = Array.from({ length: 20 }, () => read(gateway, 'wait=60'))
    await arrived(20)
    const closed = gateway.close()
    for (const answer of held) {
      expect(await answer).toMatchObject({ status: 200, body: pendingBody(), applied: 'wait=60' })
    }
    await closed
  })

  it('leaves nothing behind when its caller goes away', async () => {
    const gateway = await startWatching({
      SSE_MAX_STREAMS: '1',
      POLL_IDLE_INTERVAL_MS: '60000',
      SSE_HEARTBEAT_MS: '20',
    })
    const { say, lemlist } = gateway
    const leaving = new AbortController()
    say(pendingBody())
    const held = read(gateway, 'wait=60', leaving.signal)
    await lemlist.waitForCalls(2)
    leaving.abort()
    await expect(held).rejects.toThrow()
    const requests = () => logLines(gateway.logs()).filter(({ msg }) => msg === 'request')
    await expect.poll(requests, { interval: 5 }).toMatchObject([{ aborted: true }])
    // As many callers may wait as streams may be open, here one. So the place was free again.
    const body = doneBody()
    const next = read(gateway, 'wait=60')
    say(body)
    expect(await next).toMatchObject({ applied: 'wait=60' })
  })

  it('is an ordinary read when the greatest number of callers waits already', async () => {
    const gateway = await startWatching({ ...SLOW_POLLS, SSE_MAX_STREAMS: '1' })
    const { say, lemlist } = gateway
    say(pendingBody())
    const held = read(gateway, 'wait=60')
    await lemlist.waitForCalls(1)
    expect(await read(gateway, 'wait=60')).toMatchObject({ status: 200, applied: null })
    say(doneBody())
    await read(gateway)
    expect(await held).toMatchObject({ applied: 'wait=60' })
  })
})
