import { readFileSync } from 'node:fs'
import * as packaged from 'lemlist-export-gateway/client'
import { describe, expect, it } from 'vitest'
import { downloadUrl, getStatus, startExport, watchExport } from '../../src/client/client.js'
import { sharedGateway, startGateway } from '../helpers/gateway.ts'
import { IN_HASTE } from '../helpers/live-page.ts'
import { ask, rawRequest } from '../helpers/wire.ts'

const files = [
  ['/client.js', 'text/javascript; charset=utf-8'],
  ['/client.d.ts', 'text/plain; charset=utf-8'],
] as const

describe.each(files)('%s', (path, type) => {
  const gateway = sharedGateway()
  const get = (init?: RequestInit) => fetch(gateway().url + path, init)

  it('is the file of the source, byte for byte', async () => {
    const source = readFileSync(new URL(`../../src/client${path}`, import.meta.url))
    expect(source.length).toBeGreaterThan(1_000)
    expect(Buffer.from(await (await get()).arrayBuffer()).equals(source)).toBe(true)
  })

  it('has a content type, so that no browser guesses one', async () => {
    const { headers, status } = await get()
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe(type)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-request-id')).toMatch(/.{8,}/)
  })

  it('is revalidated each time, and sent again only when it has changed', async () => {
    const { headers } = await get()
    const etag = headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{22}-gzip"$/)
    expect(headers.get('cache-control')).toBe('no-cache')
    const again = await get({ headers: { 'if-none-match': `"other", W/${etag}` } })
    expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
  })

  // Regression: it was served in 19 KB, whatever the client took.
  it('is compressed to whoever takes that, and plain to others', async () => {
    const under = async (accepted: string) => {
      const answer = await ask(
        gateway().url,
        rawRequest(path, { headers: ['Host: 127.0.0.1', `Accept-Encoding: ${accepted}`] }),
      )
      return [answer?.headers.get('content-encoding'), answer?.headers.get('vary')]
    }
    expect(await under('br;q=1.0, gzip;q=0.8')).toEqual(['gzip', 'Accept-Encoding'])
    for (const accepted of ['identity', 'gzip;q=0', 'x-gzip-like']) {
      expect(await under(accepted), accepted).toEqual([null, 'Accept-Encoding'])
    }
    const size = Number((await get({ method: 'HEAD' })).headers.get('content-length'))
    expect(size).toBeGreaterThan(1_000)
    expect(size).toBeLessThan(8_000)
  })

  it('answers HEAD without its body, and POST with 405', async () => {
    const head = await get({ method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const post = await get({ method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})

it('the package exports the client under its own name', () => {
  expect(packaged.watchExport).toBe(watchExport)
})

describe('the client in Node', () => {
  it('starts, watches and downloads an export', async () => {
    const { url: baseUrl, lemlist } = await startGateway({
      ...IN_HASTE,
      lemlist: { ...IN_HASTE.lemlist, started: { durationMs: 200, fileBytes: 9_000 } },
    })
    lemlist.addCampaign('cam_Node1')
    const started = await startExport({ baseUrl, campaignId: 'cam_Node1' })
    const ref = { baseUrl, campaignId: 'cam_Node1', exportId: started.id }
    const states: string[] = []
    for await (const { status } of watchExport(ref)) states.push(status.status)
    expect(states[0]).toBe('pending')
    expect(states.at(-1)).toBe('done')
    expect((await getStatus(ref)).status).toMatchObject({ id: started.id, fileSize: 9_000 })
    const file = await (await fetch(downloadUrl(ref))).arrayBuffer()
    expect(file.byteLength).toBe(9_000)
  })

  it('starts one export however often the same key is sent', async () => {
    const { url: baseUrl, lemlist } = await startGateway(IN_HASTE)
    lemlist.addCampaign('cam_Node2')
    const start = () => startExport({ baseUrl, campaignId: 'cam_Node2', idempotencyKey: 'order-7' })
    const [first, second] = [await start(), await start()]
    expect(second.id).toBe(first.id)
    const starts = lemlist.calls.filter(({ operation }) => operation === 'start')
    expect(starts).toHaveLength(1)
    expect((await startExport({ baseUrl, campaignId: 'cam_Node2' })).id).not.toBe(first.id)
  })

  it('throws the problem of the gateway for an unknown export and for invalid ids', async () => {
    const { url: baseUrl } = await startGateway()
    const unknown = { baseUrl, campaignId: 'cam_Node3', exportId: 'axp_Node3' }
    await expect(getStatus(unknown)).rejects.toMatchObject({
      code: 'campaign-not-found',
      status: 404,
    })
    await expect(watchExport(unknown).next()).rejects.toMatchObject({ code: 'campaign-not-found' })
    const wrong = watchExport({ ...unknown, campaignId: '..' }).next()
    await expect(wrong).rejects.toMatchObject({ status: 404 })
  })
})
