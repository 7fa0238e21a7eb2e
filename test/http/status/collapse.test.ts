import { Agent, get as httpGet } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { BOUNDLESS } from '../../helpers/faults.ts'
import { startGateway, statusPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'

interface Answer {
  readonly status: number
  readonly cacheStatus: unknown
  readonly body: string
}

const start = async () => {
  const gateway = await startGateway({ env: BOUNDLESS })
  const agent = new Agent({ keepAlive: true, maxSockets: 300 })
  onTestFinished(() => agent.destroy())
  const get = (options: { signal?: AbortSignal } = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const request = httpGet(gateway.url + statusPath(REF), { agent, ...options }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          body += text
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            cacheStatus: response.headers['cache-status'],
            body,
          }),
        )
      })
      request.on('error', reject)
    })
  let arrived = 0
  let wake = () => {}
  gateway.app.server.server.on('request', () => {
    arrived += 1
    wake()
  })
  /** Resolves when the gateway has read so many requests in all. */
  const arrivals = async (count: number) => {
    while (arrived < count) {
      const next = Promise.withResolvers<void>()
      wake = next.resolve
      await next.promise
    }
  }
  return { ...gateway, get, arrivals }
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

describe('reads of one export at the same time', () => {
  it('share one call: 200 reads of a pending export cost one', async () => {
    const { get, lemlist, arrivals } = await start()
    const gate = Promise.withResolvers<void>()
    lemlist.script({ times: 1 }, { body: pendingBody(), gate: gate.promise })
    const reads = times(200, get)
    await arrivals(200)
    gate.resolve()
    const answers = await Promise.all(reads)
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set([pendingBody()]))
    expect(lemlist.calls).toHaveLength(1)
    const collapsed = answers.filter(({ cacheStatus }) => String(cacheStatus).endsWith('collapsed'))
    expect(collapsed).toHaveLength(199)
  })

  it('share one failure as well', async () => {
    const { get, lemlist, arrivals } = await start()
    const gate = Promise.withResolvers<void>()
    lemlist.script({ times: 1 }, { status: 500, gate: gate.promise })
    const reads = times(50, get)
    await arrivals(50)
    gate.resolve()
    expect(new Set((await Promise.all(reads)).map(({ status }) => status))).toEqual(new Set([503]))
    expect(lemlist.calls).toHaveLength(1)
  })

  it('cost no call when the export is done: 1 000 reads are answered without lemlist', async () => {
    const { get, lemlist } = await start()
    lemlist.script({ times: 1 }, { body: doneBody() })
    await get()
    lemlist.clearCalls()
    const answers = await Promise.all(times(1_000, get))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(answers.every(({ cacheStatus }) => String(cacheStatus).includes('; hit; '))).toBe(true)
    expect(lemlist.calls).toEqual([])
  })

  it('are not cancelled for the others when the first caller goes away', async () => {
    const { get, lemlist, arrivals } = await start()
    const gate = Promise.withResolvers<void>()
    lemlist.script({ times: 1 }, { body: pendingBody(), gate: gate.promise })
    const leaving = new AbortController()
    const first = get({ signal: leaving.signal })
    await lemlist.waitForCalls(1)
    const others = times(5, get)
    await arrivals(6)
    leaving.abort()
    await expect(first).rejects.toThrow('aborted')
    gate.resolve()
    for (const other of others) expect((await other).body).toBe(pendingBody())
    expect(lemlist.calls).toHaveLength(1)
  })

  it('keep a final answer even when its caller has gone away', async () => {
    const { get, lemlist } = await start()
    const gate = Promise.withResolvers<void>()
    const body = doneBody()
    lemlist.script({ times: 1 }, { body, gate: gate.promise })
    const leaving = new AbortController()
    const gone = get({ signal: leaving.signal })
    await lemlist.waitForCalls(1)
    leaving.abort()
    await expect(gone).rejects.toThrow('aborted')
    const joined = get()
    gate.resolve()
    expect((await joined).body).toBe(body)
    expect((await get()).cacheStatus).toMatch(/; hit; /)
    expect(lemlist.calls).toHaveLength(1)
  })
})

describe('reads of different exports', () => {
  it('do not wait for each other', async () => {
    const { get, url, lemlist } = await start()
    const gate = Promise.withResolvers<void>()
    const other = { campaignId: 'cam_Other', exportId: 'axp_Other' }
    lemlist.script({ exportId: REF.exportId }, { body: pendingBody(), gate: gate.promise })
    lemlist.script({ exportId: other.exportId }, { body: pendingBody({}, other) })
    const held = get()
    await lemlist.waitForCalls(1)
    expect((await fetch(url + statusPath(other))).status).toBe(200)
    gate.resolve()
    expect((await held).status).toBe(200)
  })
})
