import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Budget } from '../../../src/exports/ports.ts'
import { createLemlist as createClient } from '../../../src/lemlist/client.ts'
import { createLemlist } from '../../../src/sandbox/lemlist.ts'
import { DAY } from '../../helpers/fakes.ts'
import { pendingBody } from '../../helpers/status-bodies.ts'

/** How many sockets the client has. */
const SOCKETS = 32

/** A budget that gives every call until it is paused, and then none. */
const fakeBudget = (): Budget & { paused: number; readonly taken: () => number } => {
  let taken = 0
  const budget = {
    paused: 0,
    taken: () => taken,
    async take() {
      if (budget.paused > 0) return 60_000
      taken += 1
      return 0
    },
    async pause(_: string, ms: number) {
      budget.paused = Math.max(budget.paused, ms)
    },
    pausedMs: async () => budget.paused,
  }
  return budget
}

const start = async ({ keepAliveTimeoutMs = 65_000 } = {}) => {
  const lemlist = createLemlist({ keepAliveTimeoutMs })
  const baseUrl = new URL(await lemlist.listen())
  onTestFinished(() => lemlist.close())
  const budget = fakeBudget()
  let key = 'first-key'
  const client = createClient({
    baseUrl,
    apiKey: () => key,
    account: 'default',
    budget,
    timeoutMs: 10_000,
    fileTtlMs: DAY,
  })
  onTestFinished(() => client.close())
  const look = (exportId: string) => {
    const due = performance.now()
    const ref = { account: 'default', campaignId: 'cam_Client', exportId }
    const { answer, ...rest } = client.status(ref, {
      due,
      giveUpAt: due + 5_000,
      callClass: 'watched',
    })
    const outcome = answer.then(
      ({ state }) => state,
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'bug'),
    )
    return { outcome, answer, ...rest }
  }
  const ids = (exportId: string) => ({ campaignId: 'cam_Client', exportId })
  const changeKey = (next: string) => {
    key = next
  }
  return { lemlist, client, budget, look, ids, changeKey }
}

describe('the client', () => {
  it('has no more calls under way than it has sockets', async () => {
    const { lemlist, look, budget } = await start()
    const gate = Promise.withResolvers<void>()
    lemlist.script({}, { status: 500, gate: gate.promise })
    const looks = Array.from({ length: SOCKETS + 5 }, (_, number) => look(`axp_${number}`))
    await lemlist.waitForCalls(SOCKETS)
    expect([lemlist.calls.length, budget.taken()]).toEqual([SOCKETS, SOCKETS])
    expect(looks.filter(({ isWaiting }) => isWaiting())).toHaveLength(5)
    gate.resolve()
    await Promise.all(looks.map(({ outcome }) => outcome))
    expect(new Set(lemlist.calls.map(({ connection }) => connection)).size).toBe(SOCKETS)
  })

  it('says when it has asked, however late the answer comes', async () => {
    const { lemlist, look, ids } = await start()
    const gate = Promise.withResolvers<void>()
    lemlist.script({}, { body: pendingBody({}, ids('axp_1')), gate: gate.promise })
    const { answer } = look('axp_1')
    await lemlist.waitForCalls(1)
    const arrivedAt = Date.now()
    while (Date.now() === arrivedAt) await setImmediate()
    gate.resolve()
    const { askedAt, observedAt } = await answer
    expect(askedAt).toBeLessThanOrEqual(arrivedAt)
    expect(observedAt).toBeGreaterThan(arrivedAt)
  })

  // If a place became free before its answer was read, the next call would leave during the pause.
  it('lets nobody go between a 429 and its pause', async () => {
    const { lemlist, look, budget } = await start()
    const gate = Promise.withResolvers<void>()
    lemlist.script({}, { hang: true })
    lemlist.script(
      { exportId: 'axp_0' },
      { status: 429, headers: { 'Retry-After': '9' }, gate: gate.promise },
    )
    const [first] = Array.from({ length: SOCKETS }, (_, number) => look(`axp_${number}`))
    const next = look('axp_Next')
    await lemlist.waitForCalls(SOCKETS)
    gate.resolve()
    expect(await first?.outcome).toBe('budget-exhausted')
    expect(budget.paused).toBeGreaterThanOrEqual(9_000)
    expect([next.isWaiting(), budget.taken()]).toEqual([true, SOCKETS])
  })

  it('counts the second try after a reset in the budget, and tries no third time', async () => {
    const { lemlist, look, budget, ids } = await start()
    lemlist.script({ times: 1 }, { body: pendingBody({}, ids('axp_1')) })
    expect(await look('axp_1').outcome).toBe('pending')
    // undici needs a turn of the event loop to take the socket back.
    await setImmediate()
    lemlist.script({}, { reset: 'before-headers' })
    expect(await look('axp_1').outcome).toBe('upstream-unavailable')
    expect(lemlist.calls.map(({ connection }) => connection)).toEqual([1, 1, 2])
    expect([lemlist.calls.length, budget.taken()]).toEqual([3, 3])
  })

  it('does not repeat a call whose socket was new', async () => {
    const { lemlist, look } = await start()
    lemlist.script({}, { reset: 'before-headers' })
    expect(await look('axp_1').outcome).toBe('upstream-unavailable')
    expect(lemlist.calls).toHaveLength(1)
  })

  it('never uses a socket that lemlist is about to close: 100 calls, 100 answers', async () => {
    const { lemlist, look, ids } = await start({ keepAliveTimeoutMs: 5 })
    for (let number = 0; number < 100; number += 1) {
      const exportId = `axp_${number}`
      lemlist.script({ times: 1 }, { body: pendingBody({}, ids(exportId)), delayMs: number % 7 })
      expect(await look(exportId).outcome).toBe('pending')
    }
  })

  it('reads the key at every call, so that it can change', async () => {
    const { lemlist, look, changeKey } = await start()
    lemlist.script({}, { status: 401 })
    expect(await look('axp_1').outcome).toBe('upstream-credentials')
    changeKey('second:key')
    await look('axp_1').outcome
    expect(lemlist.calls.map(({ authorization }) => authorization)).toEqual(
      ['first-key', 'second:key'].map(
        (key) => `Basic ${Buffer.from(`:${key}`).toString('base64')}`,
      ),
    )
  })

  it('says that a start has not left when the budget fails', async () => {
    const { client, budget, lemlist } = await start()
    budget.take = async () => {
      throw new Error('the store is broken')
    }
    const due = performance.now()
    const turn = { due, giveUpAt: due + 5_000, callClass: 'watched' } as const
    const campaign = { account: 'default', campaignId: 'cam_Client' }
    await expect(client.start(campaign, turn)).rejects.toMatchObject({
      code: 'upstream-unavailable',
      options: { notSent: true },
    })
    expect(lemlist.calls).toEqual([])
  })

  it('that is closed ends all calls, those under way and those in line, as trouble that passes', async () => {
    const { lemlist, look, client } = await start()
    lemlist.script({}, { hang: true })
    const looks = Array.from({ length: SOCKETS + 1 }, (_, number) => look(`axp_${number}`))
    await lemlist.waitForCalls(SOCKETS)
    await client.close()
    const outcomes = await Promise.all(looks.map(({ outcome }) => outcome))
    expect(new Set(outcomes.slice(0, SOCKETS))).toEqual(new Set(['upstream-unavailable']))
    expect(outcomes.at(-1)).toBe('budget-exhausted')
    expect(await look('axp_Late').outcome).toBe('budget-exhausted')
  })
})
