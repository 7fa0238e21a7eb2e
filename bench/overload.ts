import { setPriority } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { freePort, message, print, startLoad } from './processes.ts'
import { type Server, startServer } from './server.ts'

/**
 * Measures what callers see while the gateway gets three times what one core carries: half new
 * streams, half reads of exports that it does not know. Those who read what is cached, and the health,
 * are a process of their own.
 */

const LOAD = '../test/helpers/overload-load.ts'
const TIMES = 3
const TRIAL = { perSecond: 1_000, runMs: 6_000 }
const LOAD_MS = 25_000
const LOWEST_PRIORITY = 19

const times = z.object({
  count: z.number(),
  failed: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
})
const told = z.object({
  ...{ offered: z.number(), opened: z.number(), shed: z.number() },
  ...{ answered: z.number(), refused: z.number(), failed: z.number() },
  ...{ offeredPerSecond: z.number(), reads: times, health: times },
})
type Told = z.infer<typeof told>

const inMs = ({ p50Ms, p99Ms, maxMs, failed }: z.infer<typeof times>): string =>
  `median ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, longest ${maxMs.toFixed(0)} ms, ${failed} failed`

const run = async (order: object, priority = 0): Promise<Told> => {
  const load = startLoad(LOAD)
  // It makes the load, and must not slow down those who measure.
  if (load.child.pid !== undefined) setPriority(load.child.pid, priority)
  try {
    load.child.send(order)
    return await message(load.child, told)
  } finally {
    load.end()
  }
}

/** How long after the load a new stream is let in again, milliseconds. */
const recovery = async ({ url }: Server, path: string): Promise<number> => {
  const from = performance.now()
  for (;;) {
    const answer = await fetch(url + path)
    const { value } = (await answer.body?.getReader().read()) ?? {}
    const text = new TextDecoder().decode(value)
    if (!text.includes('"overloaded"')) return performance.now() - from
    await delay(100)
  }
}

export const measureOverload = async (): Promise<void> => {
  const lemlist = createLemlist()
  const ops = await freePort()
  const server = await startServer('gateway.ts', {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ STORE_URL: 'memory:', OPS_PORT: String(ops) },
  })
  try {
    const { campaignId, exportId } = lemlist.add({ durationMs: 0 })
    const cached = `/campaigns/${campaignId}/export/${exportId}/status`
    await (await fetch(server.url + cached)).arrayBuffer()
    const order = { url: server.url, cached, health: `http://127.0.0.1:${ops}/health/live` }
    const cpuOf = async (perSecond: number): Promise<{ cpuMs: number; told: Told }> => {
      const before = server.cpuMs()
      const result = await run({ ...order, perSecond, runMs: TRIAL.runMs })
      return { cpuMs: server.cpuMs() - before, told: result }
    }
    await cpuOf(TRIAL.perSecond)
    const without = await cpuOf(0)
    const trial = await cpuOf(TRIAL.perSecond)
    const each = (trial.cpuMs - without.cpuMs) / trial.told.offered
    const perSecond = Math.round((TIMES * 1_000) / each)
    print(
      `New streams and reads of unknown exports, half and half: ${(each * 1_000).toFixed(0)} us of CPU each`,
    )
    print(
      `  one core carries ${Math.round(1_000 / each)} a second; offered: ${perSecond} for ${LOAD_MS / 1_000} s`,
    )

    const loaded = { ...order, runMs: LOAD_MS }
    const [load, beside] = await Promise.all([
      run({ ...loaded, perSecond }, LOWEST_PRIORITY),
      run({ ...loaded, perSecond: 0, runMs: LOAD_MS - 500 }),
    ])
    const backMs = await recovery(server, `/campaigns/${campaignId}/export/axp_Later1/events`)
    print(`  really offered: ${load.offeredPerSecond.toFixed(0)} a second`)
    print(
      `  streams opened ${load.opened}, turned away ${load.shed}; reads answered ${load.answered}, turned away ${load.refused}; connections that failed ${load.failed}`,
    )
    print(`  cached reads beside it, before: ${inMs(without.told.reads)}`)
    print(`  cached reads beside it, during: ${inMs(beside.reads)}`)
    print(`  health on OPS_PORT, during: ${inMs(beside.health)}`)
    print(`  a new stream is let in again after ${(backMs / 1_000).toFixed(1)} s`)
  } finally {
    await server.end()
    await lemlist.close()
  }
}
