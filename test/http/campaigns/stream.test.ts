import { describe, expect, it, onTestFinished } from 'vitest'
import { campaignEventsPath, openCampaign, toldIds } from '../../helpers/campaigns.ts'
import { openEvents } from '../../helpers/event-connection.ts'
import { statusPath } from '../../helpers/gateway.ts'
import { FAST } from '../../helpers/pace.ts'
import { CAMPAIGN, isStart, startGatewayWithCampaign, startPath } from '../../helpers/starts.ts'
import { doneBody, pendingBody, statusBody } from '../../helpers/status-bodies.ts'
import { fieldsOf, named, namesOf } from '../../helpers/watching.ts'

const refOf = (exportId: string) => ({ campaignId: CAMPAIGN, exportId })

/**
 * The list is read again at each heartbeat, which would show everything sooner or later. Here none comes in
 * time, so that a stream shows only what it was told of.
 */
const NO_HEARTBEAT = { SSE_HEARTBEAT_MS: '600000' }

const setUp = async (env: Record<string, string> = {}) => {
  const gateway = await startGatewayWithCampaign({ ...FAST, ...NO_HEARTBEAT, ...env })
  const { url, lemlist } = gateway
  const read = (exportId: string) => fetch(url + statusPath(refOf(exportId)))
  return {
    ...gateway,
    read,
    open: openCampaign(url),
    say: (exportId: string, body: string) => lemlist.script({ exportId }, { body }),
    /** Makes the gateway know an export that is done. */
    know: async (exportId: string) => {
      lemlist.add({ ...refOf(exportId), durationMs: 0 })
      expect((await read(exportId)).status).toBe(200)
    },
    start: async (): Promise<string> => {
      const answer = await fetch(url + startPath(), { method: 'POST' })
      expect(answer.status).toBe(201)
      return ((await answer.json()) as { id: string }).id
    },
  }
}

describe('the stream of a campaign', () => {
  it('begins with what is known, in the same form as the stream of many', async () => {
    const { open, say, read, know } = await setUp()
    await know('axp_A')
    const odd = pendingBody({ big: 1 }, refOf('axp_B')).replace('"big":1', '"big": 1e400')
    say('axp_B', odd)
    await read('axp_B')
    const stream = open()
    await stream.until(() => stream.events.length === 2)
    expect(stream.events.map(({ data }) => data)).toContain(
      `{"campaignId":"${CAMPAIGN}","exportId":"axp_B","body":${odd}}`,
    )
    expect(toldIds(stream).toSorted()).toEqual(['axp_A', 'axp_B'])
    expect(namesOf(stream)).toEqual(['status', 'status'])
    expect(fieldsOf(stream)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
    })
  })

  it('tells an export that is started later, and its end, and goes on', async () => {
    const { open, start, say, know } = await setUp()
    const stream = open()
    await stream.until(() => stream.text() !== '')
    expect(stream.events).toEqual([])
    const id = await start()
    await stream.waitFor(({ data }) => data.includes(id))
    say(id, statusBody('error', {}, refOf(id)))
    await stream.waitFor(({ data }) => data.includes('"status":"error"'))
    await know('axp_Later')
    await stream.waitFor(({ data }) => data.includes('axp_Later'))
    expect(new Set(namesOf(stream))).toEqual(new Set(['status']))
    expect(new Set(toldIds(stream))).toEqual(new Set([id, 'axp_Later']))
  })

  it('tells an export that another caller has seen pending', async () => {
    const { open, say, read } = await setUp()
    const stream = open()
    await stream.until(() => stream.text() !== '')
    say('axp_Seen', pendingBody({}, refOf('axp_Seen')))
    await read('axp_Seen')
    await stream.waitFor(({ data }) => data.includes('axp_Seen'))
  })

  it('tells nothing of another campaign, nor of ids that lemlist does not know', async () => {
    const { open, lemlist, url, know, read } = await setUp()
    const stream = open()
    await stream.until(() => stream.text() !== '')
    const other = { campaignId: 'cam_Other', exportId: 'axp_Other' }
    lemlist.add({ ...other, durationMs: 0 })
    expect((await fetch(url + statusPath(other))).status).toBe(200)
    expect((await read('axp_Nobody')).status).toBe(404)
    await know('axp_Own')
    await stream.waitFor(({ data }) => data.includes('axp_Own'))
    expect(toldIds(stream)).toEqual(['axp_Own'])
  })

  it('tells `gone` of an export that times out, and goes on', async () => {
    const { open, say, read, lemlist, know } = await setUp()
    say('axp_A', pendingBody({}, refOf('axp_A')))
    await read('axp_A')
    const stream = open()
    await stream.waitFor(named('status'))
    lemlist.script({ exportId: 'axp_A' }, { status: 404, body: '{"message":"not found"}' })
    const gone = await stream.waitFor(named('gone'))
    expect(JSON.parse(gone.data)).toMatchObject({ ...refOf('axp_A'), code: 'export-timed-out' })
    await know('axp_B')
    await stream.waitFor(({ data }) => data.includes('axp_B'))
  })

  it('counts as watching its pending exports, until it is closed', async () => {
    const { open, start, lemlist, app } = await setUp({
      ...{ POLL_IDLE_INTERVAL_MS: '600000', POLL_FIRST_MS: '100000', POLL_INTERVAL_MS: '100000' },
      POLL_MAX_INTERVAL_MS: '100000',
    })
    expect(app).toBeDefined()
    const id = await start()
    expect(lemlist.calls.every(isStart)).toBe(true)
    const stream = open()
    await stream.waitFor(({ data }) => data.includes(id))
    expect(lemlist.calls.filter(({ operation }) => operation === 'status')).toHaveLength(1)
  })

  it('asks lemlist nothing for exports that are over', async () => {
    const { open, know, lemlist } = await setUp()
    for (const id of ['axp_A', 'axp_B', 'axp_C']) await know(id)
    lemlist.clearCalls()
    const stream = open()
    await stream.until(() => stream.events.length === 3)
    expect(lemlist.calls).toEqual([])
  })

  it('begins with the 100 newest', async () => {
    const { open, know } = await setUp()
    const ids = Array.from({ length: 105 }, (_, n) => `axp_N${String(n).padStart(3, '0')}`)
    // One after the other, so that each is first seen later than the one before, or at the same time.
    for (const id of ids) await know(id)
    const stream = open()
    await stream.until(() => stream.events.length === 100)
    await know('axp_Last')
    await stream.waitFor(({ data }) => data.includes('axp_Last'))
    expect(toldIds(stream)).toEqual([...ids.slice(5).reverse(), 'axp_Last'])
  })

  it('is refused with a status where the campaign is malformed, or nothing accepts events', async () => {
    const { url } = await setUp()
    const ask = async (path: string, accept = 'text/event-stream') => {
      const answer = await fetch(url + path, { headers: { accept } })
      return [answer.status, ((await answer.json()) as { code: string }).code]
    }
    expect(await ask(campaignEventsPath('cam_'))).toEqual([400, 'invalid-id'])
    expect(await ask(campaignEventsPath(), 'text/csv')).toEqual([406, 'not-acceptable'])
    const head = await fetch(url + campaignEventsPath(), { method: 'HEAD' })
    expect(head.status).toBe(405)
  })
})

describe('a client that comes back to the stream of a campaign', () => {
  it('is told only what has changed since its last id', async () => {
    const { open, say, read, know } = await setUp()
    for (const id of ['axp_A', 'axp_B']) await know(id)
    for (const id of ['axp_C', 'axp_D']) {
      say(id, pendingBody({}, refOf(id)))
      await read(id)
    }
    const first = open()
    await first.until(() => first.events.length === 4)
    const lastEventId = first.events.at(-1)?.id ?? ''
    expect(lastEventId).toMatch(/^c\.[\w-]{20}$/)
    first.socket.destroy()
    say('axp_C', doneBody({}, refOf('axp_C')))
    await expect
      .poll(async () => (await (await read('axp_C')).json()) as unknown)
      .toMatchObject({ status: { status: 'done' } })
    await know('axp_E')
    const again = open({ lastEventId })
    await again.until(() => again.events.length >= 2)
    await know('axp_F')
    await again.waitFor(({ data }) => data.includes('axp_F'))
    expect(toldIds(again).toSorted()).toEqual(['axp_C', 'axp_E', 'axp_F'])
    // The last id on it says all that the client knows by now.
    const lastId = again.events.at(-1)?.id ?? ''
    expect(lastId).toMatch(/^c\.[\w-]{30}$/)
    const third = open({ lastEventId: lastId })
    await know('axp_G')
    await third.waitFor(({ data }) => data.includes('axp_G'))
    expect(toldIds(third)).toEqual(['axp_G'])
  })

  it('is told the status again that ends a trouble it was told', async () => {
    const { open, say, read, lemlist } = await setUp()
    say('axp_A', pendingBody({}, refOf('axp_A')))
    await read('axp_A')
    const first = open()
    await first.waitFor(named('status'))
    lemlist.script({ exportId: 'axp_A' }, { status: 500, body: 'no' })
    const { id } = await first.waitFor(named('problem'))
    first.socket.destroy()
    say('axp_A', pendingBody({}, refOf('axp_A')))
    const again = open({ lastEventId: id })
    await again.waitFor(named('status'))
  })

  it.each(['c.', 'c.AAAA', 'open.Qz2kq3N1sZbq1bqXn0q9y0', `c.${'A'.repeat(1_500)}`, '../x'])(
    'with the id %s, which says nothing, is told all',
    async (lastEventId) => {
      const { open, know } = await setUp()
      await know('axp_A')
      const stream = open({ lastEventId })
      await stream.waitFor(({ data }) => data.includes('axp_A'))
    },
  )

  it('may send its last id in the URL', async () => {
    const { open, url, know } = await setUp()
    await know('axp_A')
    const first = open()
    const { id } = await first.waitFor(named('status'))
    const again = openEvents(`${url}${campaignEventsPath()}?lastEventId=${id}`)
    onTestFinished(() => void again.socket.destroy())
    await again.until(() => again.text() !== '')
    await know('axp_B')
    await again.waitFor(({ data }) => data.includes('axp_B'))
    expect(toldIds(again)).toEqual(['axp_B'])
  })
})
