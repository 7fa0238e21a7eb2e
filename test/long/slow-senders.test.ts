import type { Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { drip, SLOW_BODY, SLOW_HEADERS } from '../helpers/dripping.ts'
import { GATEWAY_ENV } from '../helpers/log-output.ts'
import { spawnGateway } from '../helpers/process.ts'
import { readAnswer } from '../helpers/wire.ts'

const SENDERS = 1_000
/** They are cut after 4 to 5.5 s. The rest is for a busy machine. */
const CUT_WITHIN_MS = 12_000

describe('1 000 senders that send a byte now and then', () => {
  it('are all told so and cut, and others are served meanwhile', async () => {
    const { url } = await spawnGateway(GATEWAY_ENV)
    const sockets = new Set<Socket>()
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    const senders = Array.from({ length: SENDERS }, (_, index) =>
      drip(url, index % 2 === 0 ? SLOW_HEADERS : SLOW_BODY, sockets),
    )
    const statuses: number[] = []
    const served = (async () => {
      while (sockets.size > 0) statuses.push((await fetch(`${url}/health/live`)).status)
    })()
    const cut = await Promise.all(senders)
    await served
    expect(new Set(cut.map(({ heard }) => readAnswer(heard)?.status))).toEqual(new Set([408]))
    expect(Math.max(...cut.map(({ openMs }) => openMs))).toBeLessThan(CUT_WITHIN_MS)
    expect(statuses.length).toBeGreaterThan(0)
    expect(new Set(statuses)).toEqual(new Set([200]))
  })
})
