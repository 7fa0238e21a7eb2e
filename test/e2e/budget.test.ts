import { Agent, get as httpGet } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startGateway, statusPath } from '../helpers/gateway.ts'
import { pendingBody } from '../helpers/status-bodies.ts'
import { busiestWindow } from '../helpers/windows.ts'

/** lemlist's 20 calls, less a reserve of 4, in half of its window, as it counts them itself. */
const WINDOW_MS = 1_000
const CALLS = 16
const LIMIT = 20
/** What is sent apart may arrive closer together. */
const JITTER_MS = 100

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly code: string | undefined
  readonly ms: number
}

/** @param timeoutMs a caller waits for a call at most half as long */
const start = async (timeoutMs = 5_000) => {
  const gateway = await startGateway({
    env: {
      LEMLIST_RATE_WINDOW_MS: String(WINDOW_MS),
      LEMLIST_TIMEOUT_MS: String(timeoutMs),
    },
    lemlist: { rateLimit: { calls: LIMIT, windowMs: WINDOW_MS } },
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 600 })
  onTestFinished(() => agent.destroy())
  const read = (exportId: string) =>
    new Promise<Answer>((resolve, reject) => {
      const began = performance.now()
      const path = statusPath({ campaignId: 'cam_Budget', exportId })
      const request = httpGet(gateway.url + path, { agent }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          body += text
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            retryAfter: response.headers['retry-after'],
            code: JSON.parse(body).code,
            ms: performance.now() - began,
          }),
        )
      })
      request.on('error', reject)
    })
  return { ...gateway, read }
}

describe('the busiest window', () => {
  it('is found wherever it is', () => {
    expect(busiestWindow([], 10)).toBe(0)
    expect(busiestWindow([0, 10, 20], 10)).toBe(1)
    expect(busiestWindow([0, 9, 12, 15, 18, 22], 10)).toBe(4)
  })
})

describe('500 reads of 500 pending exports at once', () => {
  it('are answered or refused within 5 s, and the budget is kept and put to use', async () => {
    const { read, lemlist } = await start()
    const exportIds = Array.from({ length: 500 }, (_, number) => `axp_Budget${number}`)
    for (const exportId of exportIds) {
      const body = pendingBody({}, { campaignId: 'cam_Budget', exportId })
      lemlist.script({ exportId }, { body })
    }
    const began = performance.now()
    const answers = await Promise.all(exportIds.map(read))
    const tookMs = performance.now() - began

    const answered = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status !== 200)
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(5_000)
    expect(new Set(refused.map(({ status, code }) => `${status} ${code}`))).toEqual(
      new Set(['503 budget-exhausted']),
    )
    for (const { retryAfter } of answers) expect(retryAfter).toMatch(/^[1-9]\d*$/)
    // A busy machine may refuse callers just when their calls leave: a quarter of the window at a time.
    const forNobody = lemlist.calls.length - answered.length
    expect(forNobody).toBeGreaterThanOrEqual(0)
    expect(forNobody).toBeLessThanOrEqual(CALLS / 4)

    const times = lemlist.calls.map(({ at }) => at)
    expect(busiestWindow(times, WINDOW_MS - JITTER_MS)).toBeLessThanOrEqual(CALLS)
    expect(busiestWindow(times, WINDOW_MS)).toBeLessThanOrEqual(LIMIT)
    // A quarter of the window at a time: what may leave until the last read was given up.
    const quarters = Math.floor(tookMs / (WINDOW_MS / 4))
    expect(times.length).toBeGreaterThanOrEqual(0.9 * quarters * (CALLS / 4))
  })
})

describe('a budget under work that does not end', () => {
  it('is kept in every window and put to use by 90 % and more', async () => {
    const { read, lemlist } = await start()
    const seconds = 4
    const working = new AbortController()
    const timer = setTimeout(() => working.abort(), seconds * 1_000)
    onTestFinished(() => clearTimeout(timer))
    const script = (exportId: string) =>
      lemlist.script(
        { exportId },
        { body: pendingBody({}, { campaignId: 'cam_Budget', exportId }) },
      )
    const worker = async (number: number) => {
      const exportId = `axp_Worker${number}`
      script(exportId)
      while (!working.signal.aborted) await read(exportId)
    }
    const began = performance.now()
    const workers = Promise.all(Array.from({ length: 100 }, (_, number) => worker(number)))
    await new Promise((resolve) => working.signal.addEventListener('abort', resolve))
    const tookMs = performance.now() - began
    const times = lemlist.calls.map(({ at }) => at)
    await workers
    expect(busiestWindow(times, WINDOW_MS - JITTER_MS)).toBeLessThanOrEqual(CALLS)
    expect(busiestWindow(times, WINDOW_MS)).toBeLessThanOrEqual(LIMIT)
    // Paced: a quarter of the calls in a quarter of the time. Half of them is what a busy machine may do.
    expect(busiestWindow(times, WINDOW_MS / 4 - JITTER_MS)).toBeLessThanOrEqual(CALLS / 2)
    expect(times.length).toBeGreaterThanOrEqual(0.9 * CALLS * (tookMs / WINDOW_MS))
  })
})

describe('a 429 with Retry-After', () => {
  it('stops every call of the key for that time, and no longer than a second more', async () => {
    const { read, lemlist } = await start(10_000)
    lemlist.script({ times: 1 }, { status: 429, headers: { 'Retry-After': '1' } })
    for (let number = 0; number < 20; number += 1) {
      const ids = { campaignId: 'cam_Budget', exportId: `axp_Budget${number}` }
      lemlist.script({ exportId: ids.exportId }, { body: pendingBody({}, ids) })
    }
    expect(await read('axp_First')).toMatchObject({ status: 503, code: 'budget-exhausted' })
    const [first] = lemlist.calls
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, number) => read(`axp_Budget${number}`)),
    )
    const pauses = lemlist.calls.slice(1).map(({ at }) => at - (first?.at ?? 0))
    expect(pauses.length).toBeGreaterThanOrEqual(4)
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(990)
    expect(Math.min(...pauses)).toBeLessThan(2_200)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(pauses.length)
  })
})
