import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { createCsvFile } from '../../../src/sandbox/csv-file.ts'
import { createLemlist, type Lemlist, type LemlistOptions } from '../../../src/sandbox/lemlist.ts'

const CAMPAIGN = 'cam_SandboxCampaign01'
const EXPORT = 'axp_SandboxTest000001'
const basic = (key: string) => ({
  authorization: `Basic ${Buffer.from(`:${key}`).toString('base64')}`,
})
const headers = basic('sandbox-key')

let lemlist: Lemlist | undefined
afterEach(() => lemlist?.close())

/** Starts an emulator with one done export and resolves to the fields of its status. */
const done = async (fileBytes: number, options: LemlistOptions = {}) => {
  const campaign = { campaignId: CAMPAIGN, campaignName: 'Été 2024: A/B-Test' }
  lemlist = createLemlist({
    exports: [{ ...campaign, exportId: EXPORT, durationMs: 0, fileBytes }],
    apiKeys: ['sandbox-key', 'other-key'],
    ...options,
  })
  const base = await lemlist.listen()
  const answer = await fetch(`${base}/campaigns/${CAMPAIGN}/export/${EXPORT}/status`, { headers })
  // This is the emulator's own answer. answers.test.ts checks its shape.
  const { status } = (await answer.json()) as { status: { url: string; fileSize: number } }
  return { ...status, base }
}

describe('the file of a done export', () => {
  it.each([0, 1, 80, 200, 626, 23_654, 1_000_003])(
    'has exactly the %i bytes that were announced',
    async (size) => {
      const { url, fileSize } = await done(size)
      const answer = await fetch(url, { headers })
      expect(answer.headers.get('content-type')).toBe('text/csv')
      expect(answer.headers.get('content-length')).toBe(String(size))
      const { length } = Buffer.from(await answer.arrayBuffer())
      expect([fileSize, length]).toEqual([size, size])
    },
  )

  it('has a name of the form that lemlist’s links have', async () => {
    const { url, base } = await done(626)
    expect(url).toBe(`${base}/files/exports/fil_${EXPORT}__t_2024_a_b-test.csv`)
  })

  it('is a table whose rows have as many cells as its header', async () => {
    const { url } = await done(23_654)
    const lines = (await (await fetch(url, { headers })).text()).split('\n')
    expect(lines.pop()).toBe('')
    expect(lines.length).toBeGreaterThan(100)
    for (const line of lines) expect(line.split(',')).toHaveLength(9)
  })

  it('is the same at every download, and another for another export', () => {
    const hash = (id: string) => {
      const sum = createHash('sha256')
      for (const chunk of createCsvFile(id, 300_000).slice(0, 300_000)) sum.update(chunk)
      return sum.digest('hex')
    }
    expect(hash(EXPORT)).toBe(hash(EXPORT))
    expect(hash(EXPORT)).not.toBe(hash('axp_SandboxTest000002'))
  })

  it('comes in pieces that fit together, wherever it is cut', () => {
    const file = createCsvFile(EXPORT, 200_000)
    const whole = Buffer.concat([...file.slice(0, file.size)])
    for (const [from, to] of [
      ...[0, 1, 74, 75, 76, 150, 199, 65_536, 131_071, 199_999].map((cut) => [cut, file.size]),
      ...[1, 75, 180, 100_000].map((cut) => [0, cut]),
      [70, 300],
      [70_000, 70_001],
    ] as [number, number][]) {
      expect(Buffer.concat([...file.slice(from, to)]).equals(whole.subarray(from, to))).toBe(true)
    }
  })

  it.each([
    ['bytes=10-19', 206, 'bytes 10-19/23654', 10],
    ['bytes=23650-', 206, 'bytes 23650-23653/23654', 4],
    ['bytes=-5', 206, 'bytes 23649-23653/23654', 5],
    ['bytes=0-99999', 206, 'bytes 0-23653/23654', 23_654],
    ['bytes=23654-', 416, 'bytes */23654', 0],
    ['bytes=-0', 416, 'bytes */23654', 0],
    ['bytes=0-1,5-6', 200, null, 23_654],
    ['bytes=9-3', 200, null, 23_654],
    ['lines=1-2', 200, null, 23_654],
  ])('answers the range %s with %i', async (range, status, contentRange, length) => {
    const { url } = await done(23_654)
    const answer = await fetch(url, { headers: { ...headers, range } })
    expect([answer.status, answer.headers.get('content-range')]).toEqual([status, contentRange])
    expect((await answer.arrayBuffer()).byteLength).toBe(length)
  })

  it('asks for the key of its team', async () => {
    const { url } = await done(626)
    expect((await fetch(url)).status).toBe(400)
    expect((await fetch(url, { headers: basic('wrong') })).status).toBe(401)
    expect(await (await fetch(url, { headers: basic('other-key') })).text()).toBe('Bad team')
  })

  it('can be open to all, since it is not known whether lemlist’s is', async () => {
    const { url } = await done(626, { fileNeedsKey: false })
    expect((await fetch(url)).status).toBe(200)
    expect((await fetch(url, { headers: basic('other-key') })).status).toBe(200)
  })

  it('is not found under another name, nor before its export is done', async () => {
    const { url, base } = await done(626)
    const before = lemlist?.add({ campaignId: CAMPAIGN, outcome: 'never' })
    for (const path of [
      url.replace('.csv', 'x.csv'),
      `${base}/files/exports/unknown.csv`,
      url.replace(EXPORT, before?.exportId ?? ''),
    ]) {
      expect((await fetch(path, { headers })).status).toBe(404)
    }
  })

  it('is made no faster than it is read', async () => {
    const size = 512 * 1024 * 1024
    const { url } = await done(size)
    const before = process.memoryUsage.rss()
    const { promise, resolve } = Promise.withResolvers<number>()
    const call = request(url, { headers }, (answer) => {
      answer.once('readable', () => resolve(answer.readableLength))
    })
    call.on('error', () => undefined)
    call.end()
    expect(await promise).toBeGreaterThan(0)
    // The emulator answers this after those first bytes. If it made the whole file at once, its
    // memory would have grown by now.
    expect((await fetch(url, { headers: { ...headers, range: 'bytes=0-0' } })).status).toBe(206)
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024)
    call.destroy()
  })
})
