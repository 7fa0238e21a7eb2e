import { describe, expect, it } from 'vitest'
import { eventsPath, manyEventsPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'
import { type Ids, named, namesOf, startWatching } from '../../helpers/watching.ts'

const refOf = (number: number): Ids => ({
  campaignId: REF.campaignId,
  exportId: `axp_Number${String(number).padStart(12, '0')}`,
})
const refs = (count: number): Ids[] => Array.from({ length: count }, (_, index) => refOf(index))

const told = (data: string): Ids & { body: unknown } => JSON.parse(data)

describe('a stream of many exports', () => {
  it("tells each export with its ids and lemlist's JSON verbatim, and an id for the state of all", async () => {
    const { open, say } = await startWatching()
    const [one, other] = [refOf(1), refOf(2)]
    const odd = pendingBody({ big: 1, unknown: 'ü' }, one).replace('"big":1', '"big": 1e400')
    const over = doneBody({}, other)
    say(odd, one)
    say(over, other)
    const stream = open(manyEventsPath([one, other]))
    await stream.waitFor(() => stream.events.length === 2)
    const datas = stream.events.map(({ data }) => data).sort()
    expect(datas).toEqual(
      [
        `{"campaignId":"${one.campaignId}","exportId":"${one.exportId}","body":${odd}}`,
        `{"campaignId":"${other.campaignId}","exportId":"${other.exportId}","body":${over}}`,
      ].sort(),
    )
    const ids = stream.events.map(({ id }) => id)
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^open\.[\w-]{22}$/)
  })

  it('ends with `complete` when all exports are over, and only then', async () => {
    const { open, say } = await startWatching()
    const [one, other] = [refOf(1), refOf(2)]
    say(doneBody({}, one), one)
    say(pendingBody({}, other), other)
    const stream = open(manyEventsPath([one, other]))
    await stream.waitFor(() => stream.events.length === 2)
    say(statusBody('error', {}, other), other)
    const end = await stream.waitFor(named('end'))
    expect([end.data, end.id, await stream.ended]).toEqual(['{"reason":"complete"}', '', 'clean'])
    expect(stream.events.at(-2)?.id).toMatch(/^over\.[\w-]{22}$/)
    expect(namesOf(stream)).toEqual(['status', 'status', 'status', 'end'])
  })

  it('tells an unknown export by `gone`, and goes on for the others', async () => {
    const { open, say, deny } = await startWatching()
    const [known, unknown] = [refOf(1), refOf(2)]
    say(pendingBody({}, known), known)
    deny(unknown)
    const stream = open(manyEventsPath([unknown, known]))
    const gone = await stream.waitFor(named('gone'))
    expect(told(gone.data)).toMatchObject({ ...unknown, code: 'export-not-found', status: 404 })
    await stream.waitFor(named('status'))
    say(doneBody({}, known), known)
    await stream.waitFor(named('end'))
    expect(stream.status()).toBe(200)
  })

  it('of unknown exports only is also a 200, and ends as `complete`', async () => {
    const { open, deny } = await startWatching()
    for (const ref of refs(3)) deny(ref)
    const stream = open(manyEventsPath(refs(3)))
    expect([await stream.ended, namesOf(stream)]).toEqual([
      'clean',
      ['gone', 'gone', 'gone', 'end'],
    ])
  })

  it('tells the trouble of each export, with its ids', async () => {
    const { open, fail, say } = await startWatching()
    const [one, other] = [refOf(1), refOf(2)]
    fail(500, one)
    say(pendingBody({}, other), other)
    const stream = open(manyEventsPath([one, other]))
    const { data, id } = await stream.waitFor(named('problem'))
    expect(told(data)).toMatchObject({ ...one, code: 'upstream-unavailable' })
    expect(id).toMatch(/^open\./)
    say(pendingBody({}, one), one)
    await stream.waitFor(
      ({ event, data }) => event === 'status' && told(data).exportId === one.exportId,
    )
  })

  it('names the same state by the same id, on another stream and in another gateway', async () => {
    const ids = await Promise.all(
      [startWatching(), startWatching()].map(async (starting) => {
        const { open, say } = await starting
        for (const ref of refs(2)) say(pendingBody({}, ref), ref)
        const stream = open(manyEventsPath(refs(2)))
        await stream.waitFor(() => stream.events.length === 2)
        const again = open(manyEventsPath(refs(2)))
        await again.waitFor(() => again.events.length === 2)
        return [stream.events[1]?.id, again.events[1]?.id]
      }),
    )
    expect(new Set(ids.flat()).size).toBe(1)
  })

  it('treats an export that is named many times as one', async () => {
    const { open, say, lemlist } = await startWatching()
    say(doneBody())
    const stream = open(manyEventsPath([REF, REF, REF]))
    await stream.ended
    expect([namesOf(stream), lemlist.calls.length]).toEqual([['status', 'end'], 1])
  })

  it('accepts a single export, and a percent-encoded slash', async () => {
    const { open, say } = await startWatching()
    say(doneBody())
    const stream = open(`/events?export=${REF.campaignId}%2F${REF.exportId}`)
    await stream.ended
    expect(namesOf(stream)).toEqual(['status', 'end'])
  })

  it('accepts a hundred exports, whose URL is longer than other routes allow', async () => {
    const { open, say } = await startWatching()
    const all = refs(100)
    for (const ref of all) say(doneBody({}, ref), ref)
    const path = manyEventsPath(all)
    expect(path.length).toBeGreaterThan(4_096)
    const stream = open(path)
    expect(await stream.ended).toBe('clean')
    const statuses = stream.events.filter(named('status'))
    expect(new Set(statuses.map(({ data }) => told(data).exportId)).size).toBe(100)
    expect(namesOf(stream)).toHaveLength(101)
  })

  it('begins at once, without waiting for a read', async () => {
    const { open, lemlist } = await startWatching()
    const gate = Promise.withResolvers<void>()
    lemlist.script({}, { body: pendingBody({}, refOf(1)), gate: gate.promise })
    const stream = open(manyEventsPath([refOf(1)]))
    await lemlist.waitForCalls(1)
    await stream.until(() => stream.text().endsWith(':\n'))
    expect(stream.text()).toMatch(/^retry: \d+\n:\n$/)
    gate.resolve()
    await stream.waitFor(named('status'))
  })

  it('shares its looks with streams of one export', async () => {
    const { open, say, lemlist } = await startWatching({
      POLL_FIRST_MS: '60000',
      POLL_INTERVAL_MS: '60000',
      POLL_MAX_INTERVAL_MS: '60000',
    })
    say(pendingBody())
    const one = open(eventsPath(REF))
    await one.waitFor(named('status'))
    const many = open(manyEventsPath([REF]))
    await many.waitFor(named('status'))
    expect(lemlist.calls).toHaveLength(1)
  })
})
