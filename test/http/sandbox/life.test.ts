import { afterEach, describe, expect, it } from 'vitest'
import type { ExportScript } from '../../../src/sandbox/export-book.ts'
import { createLemlist, type Lemlist } from '../../../src/sandbox/lemlist.ts'
import { readyMade } from '../../../src/sandbox/ready-made.ts'
import { isDocumented } from '../../helpers/documented-answers.ts'

const HOUR = 60 * 60 * 1000
const BEGIN = Date.UTC(2026, 10, 1)
const CAMPAIGN = 'cam_SandboxCampaign01'
const EXPORT = 'axp_SandboxTest000001'
const headers = { authorization: `Basic ${Buffer.from(':sandbox-key').toString('base64')}` }

let lemlist: Lemlist | undefined
afterEach(() => lemlist?.close())

/** An emulator whose clock the test moves, with the ready-made exports and one of this script. */
const begin = async (script: ExportScript = {}, timeScale = 1) => {
  let at = BEGIN
  const opened = createLemlist({
    timeScale,
    rateLimit: { calls: 1000, windowMs: 2000 },
    now: () => at,
    exports: [...readyMade(), { campaignId: CAMPAIGN, exportId: EXPORT, ...script }],
  })
  lemlist = opened
  const base = await opened.listen()
  const get = async (path: string) => {
    const answer = await fetch(path.startsWith('http') ? path : base + path, { headers })
    const contentType = answer.headers.get('content-type')
    return { status: answer.status, contentType, body: await answer.text() }
  }
  const look = async (id = EXPORT) => {
    const answer = await get(`/campaigns/${CAMPAIGN}/export/${id}/status`)
    expect(isDocumented('status', answer)).toBe(true)
    return { code: answer.status, ...JSON.parse(answer.body).status }
  }
  return { lemlist: opened, get, look, pass: (ms: number) => (at += ms) }
}

describe('the life of an export', () => {
  it('begins at its first look', async () => {
    const { look, pass } = await begin({ durationMs: 1000 })
    pass(5 * HOUR)
    expect(await look()).toMatchObject({
      status: 'pending',
      startedAt: new Date(BEGIN + 5 * HOUR).toISOString(),
    })
    pass(999)
    expect(await look()).toMatchObject({ status: 'pending' })
    pass(1)
    expect(await look()).toMatchObject({
      status: 'done',
      endedAt: new Date(BEGIN + 5 * HOUR + 1000).toISOString(),
    })
  })

  it('begins when it was started through the API', async () => {
    const { get, look, pass } = await begin()
    const { id } = JSON.parse((await get(`/campaigns/${CAMPAIGN}/export/start`)).body)
    pass(8000)
    expect(await look(id)).toMatchObject({
      status: 'done',
      startedAt: new Date(BEGIN).toISOString(),
      endedAt: new Date(BEGIN + 8000).toISOString(),
    })
  })

  it('begins at a moment that the script names', async () => {
    const { look } = await begin({ startsAt: BEGIN - 10_000, durationMs: 4000 })
    expect(await look()).toMatchObject({ endedAt: new Date(BEGIN - 6000).toISOString() })
  })

  it('shows 0 of 0 at the start and at done, and counts in every step between', async () => {
    const { look, pass } = await begin({ durationMs: 6000, total: 10 })
    const seen = []
    for (let nth = 0; nth <= 12; nth += 1) {
      const { progressIndex, progressType, progress, total } = await look()
      seen.push(`${progressIndex} ${progressType} ${progress}/${total}`)
      pass(500)
    }
    expect(seen).toEqual([
      ...['0 starting 0/0', '0 starting 0/0', '1 processing 0/10', '1 processing 5/10'],
      ...['2 processing 0/10', '2 processing 5/10', '3 processing 0/10', '3 processing 5/10'],
      ...['4 processing 0/10', '4 processing 5/10', '5 processing 0/10', '5 processing 5/10'],
      '6 done 0/0',
    ])
  })

  it('gives the same bytes while nothing changes', async () => {
    const { get, pass } = await begin({ durationMs: 6000, total: 10 })
    const path = `/campaigns/${CAMPAIGN}/export/${EXPORT}/status`
    await get(path)
    pass(1510)
    const first = await get(path)
    pass(80)
    expect(await get(path)).toEqual(first)
    pass(20)
    expect(await get(path)).not.toEqual(first)
  })

  it('ends in an error that has neither url nor endedAt', async () => {
    const { look, pass } = await begin({ durationMs: 5000, outcome: 'error' })
    expect(await look()).toMatchObject({ status: 'pending' })
    pass(5000)
    const failed = await look()
    expect(failed).toMatchObject({ status: 'error', progressIndex: 3 })
    pass(60_000)
    expect(await look()).toEqual(failed)
  })

  it('moves on and is then stuck when nobody finishes it', async () => {
    const { look, pass } = await begin({ durationMs: 20_000, outcome: 'never' })
    await look()
    pass(10_000)
    expect(await look()).toMatchObject({ progressIndex: 1, progress: 75, total: 100 })
    pass(10_000)
    const stuck = await look()
    expect(stuck).toMatchObject({ status: 'pending', progressIndex: 3, progress: 50, total: 100 })
    pass(HOUR)
    expect(await look()).toEqual(stuck)
  })

  it('is forgotten two hours after the start when nobody finishes it', async () => {
    const { look, pass } = await begin({ outcome: 'never' })
    await look()
    pass(2 * HOUR - 1)
    expect(await look()).toMatchObject({ code: 200, status: 'pending' })
    pass(1)
    expect(await look()).toMatchObject({ code: 404 })
  })

  it('is forgotten two hours after the start when it is done, but its file is kept for 24', async () => {
    const { get, look, pass } = await begin({ durationMs: 1000 })
    await look()
    pass(1000)
    const { url } = await look()
    pass(2 * HOUR - 1000)
    expect(await look()).toMatchObject({ code: 404 })
    pass(22 * HOUR + 999)
    expect(await get(url)).toMatchObject({ status: 200 })
    pass(1)
    expect(await get(url)).toMatchObject({ status: 404 })
  })

  it('goes faster with a time scale: the run, the life of the export and the life of its file', async () => {
    const { get, look, pass } = await begin({ durationMs: 6000 }, 100)
    await look()
    pass(60)
    const { url } = await look()
    pass(72_000 - 60)
    expect(await look()).toMatchObject({ code: 404 })
    expect(await get(url)).toMatchObject({ status: 200 })
    pass(864_000 + 60 - 72_000)
    expect(await get(url)).toMatchObject({ status: 404 })
  })
})

describe('a time scale that divides no duration evenly', () => {
  it('still gives whole milliseconds', async () => {
    const { look, pass } = await begin({ durationMs: 1000, startedBeforeMs: 100 }, 7)
    for (const state of ['pending', 'pending', 'done']) {
      expect(await look()).toMatchObject({ status: state })
      pass(70)
    }
  })
})

describe('the ready-made exports', () => {
  it('have ids that the gateway accepts, and a title', () => {
    expect(readyMade()).toHaveLength(5)
    for (const { title, campaignId, exportId } of readyMade()) {
      expect(title).toMatch(/\w/)
      expect(campaignId).toMatch(/^cam_[A-Za-z0-9]{1,64}$/)
      expect(exportId).toMatch(/^axp_[A-Za-z0-9]{1,64}$/)
    }
  })

  it('each follow their own script from their first look on, however late that is', async () => {
    const { look, pass } = await begin()
    pass(30 * HOUR)
    const states = async () =>
      Promise.all(readyMade().map(async ({ exportId }) => (await look(exportId)).status))
    expect(await states()).toEqual(['pending', 'pending', 'pending', 'done', 'pending'])
    pass(1000)
    expect(await states()).toEqual(['done', 'pending', 'pending', 'done', 'pending'])
    pass(4000)
    expect(await states()).toEqual(['done', 'pending', 'error', 'done', 'pending'])
    pass(31_000)
    expect(await states()).toEqual(['done', 'done', 'error', 'done', 'pending'])
    pass(1.9 * HOUR)
    expect(await states()).toEqual(['done', 'done', 'error', 'done', 'pending'])
  })

  it('have one that ended a minute ago, so that its file lives', async () => {
    const { get, look } = await begin()
    const { endedAt, url } = await look('axp_SandboxDone000001')
    expect(endedAt).toBe(new Date(BEGIN - 60_000).toISOString())
    expect(await get(url)).toMatchObject({ status: 200 })
  })
})

describe('an export driven by hand', () => {
  it('stands at the progress it was given until it is finished', async () => {
    const { lemlist, look, pass } = await begin({ outcome: 'never' })
    lemlist.progress(EXPORT, 50, 100)
    pass(1000)
    const held = await look()
    expect(held).toMatchObject({ status: 'pending', progressIndex: 3, progress: 50, total: 100 })
    pass(1000)
    expect(await look()).toEqual(held)
    lemlist.finish(EXPORT)
    expect(await look()).toMatchObject({
      status: 'done',
      progress: 0,
      total: 0,
      endedAt: new Date(BEGIN + 2000).toISOString(),
    })
  })

  it('can fail, and can be forgotten', async () => {
    const { lemlist, look } = await begin({ outcome: 'never' })
    lemlist.finish(EXPORT, 'error')
    expect(await look()).toMatchObject({ status: 'error' })
    lemlist.forget(EXPORT)
    expect(await look()).toMatchObject({ code: 404 })
  })

  it('is added while the emulator runs, with ids of its own', async () => {
    const { lemlist, get } = await begin()
    const { campaignId, exportId } = lemlist.add()
    const { body } = await get(`/campaigns/${campaignId}/export/${exportId}/status`)
    expect(JSON.parse(body)).toMatchObject({ status: { id: exportId, campaignId } })
    expect((await get(`/campaigns/${CAMPAIGN}/export/${exportId}/status`)).status).toBe(404)
  })

  it('must be one that the emulator knows', async () => {
    const { lemlist } = await begin()
    expect(() => lemlist.finish('axp_Nobody')).toThrow('axp_Nobody')
  })

  it('can be started in a campaign that has no export yet', async () => {
    const { lemlist, get } = await begin()
    lemlist.addCampaign('cam_Empty', 'Empty one')
    const answer = await get('/campaigns/cam_Empty/export/start')
    expect(isDocumented('start', answer)).toBe(true)
    expect(JSON.parse(answer.body)).toMatchObject({ campaignName: 'Empty one' })
  })
})
