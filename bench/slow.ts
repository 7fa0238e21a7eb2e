import type { Socket } from 'node:net'
import { z } from 'zod'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { drip, SLOW_BODY, SLOW_HEADERS } from '../test/helpers/dripping.ts'
import { median, message, print, startLoad } from './processes.ts'
import { type Server, startServer } from './server.ts'

/**
 * Measures what 1 000 connections cost a good client on which a byte comes now and then: half of
 * them in the headers, half in the body. Each that is cut is opened anew. Runs with and without
 * them alternate, on one gateway.
 */

const SENDERS = 1_000
const ROUNDS = 5
const CONNECTIONS = 8
const WARM_UP_MS = 2_000
const RUN_MS = 10_000

const warm = z.object({ warm: z.literal(true) })
const result = z.object({ answers: z.number(), bad: z.number(), p99Ms: z.number() })

/** Keeps the senders connected until the end. Resolves to how long each connection was open. */
const besiege = (url: string) => {
  const sockets = new Set<Socket>()
  const openMs: number[] = []
  let ended = false
  const sendOn = async (begin: string): Promise<void> => {
    while (!ended) {
      const one = await drip(url, begin, sockets)
      if (!ended) openMs.push(one.openMs)
    }
  }
  const all = Array.from({ length: SENDERS }, (_, index) =>
    sendOn(index % 2 === 0 ? SLOW_HEADERS : SLOW_BODY),
  )
  return async (): Promise<readonly number[]> => {
    ended = true
    for (const socket of sockets) socket.destroy()
    await Promise.all(all)
    return openMs
  }
}

const read = async (server: Server, path: string): Promise<number> => {
  const load = startLoad('hit-load.ts')
  try {
    load.child.send({
      ...{ url: server.url + path, connections: CONNECTIONS },
      ...{ warmUpMs: WARM_UP_MS, runMs: RUN_MS },
    })
    await message(load.child, warm)
    const { bad, p99Ms } = await message(load.child, result)
    if (bad > 0) throw new Error(`${bad} answers were not 200`)
    return p99Ms
  } finally {
    load.end()
  }
}

export const measureSlow = async (): Promise<void> => {
  const lemlist = createLemlist()
  const server = await startServer('gateway.ts', {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ STORE_URL: 'memory:', LOG_LEVEL: 'fatal' },
  })
  try {
    const { campaignId, exportId } = lemlist.add({ durationMs: 0 })
    const path = `/campaigns/${campaignId}/export/${exportId}/status`
    await (await fetch(server.url + path)).arrayBuffer()
    const alone: number[] = []
    const beside: number[] = []
    const openMs: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      alone.push(await read(server, path))
      const end = besiege(server.url)
      beside.push(await read(server, path))
      openMs.push(...(await end()))
    }
    const added = beside.map((ms, round) => ms - (alone[round] ?? Number.NaN))
    print(
      `Cached GET, ${CONNECTIONS} connections, beside ${SENDERS} slow senders, ${ROUNDS} rounds:`,
    )
    print(`  p99 alone ${median(alone).toFixed(2)} ms, beside them ${median(beside).toFixed(2)} ms`)
    print(`  added: ${median(added).toFixed(2)} ms (at most ${Math.max(...added).toFixed(2)} ms)`)
    const longest = (Math.max(...openMs) / 1_000).toFixed(1)
    print(`  ${openMs.length} slow connections were cut, each after ${longest} s at most`)
  } finally {
    await server.end()
    await lemlist.close()
  }
}
