import { get as httpGet } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DONE_EXAMPLE, PENDING_EXAMPLE } from '../../helpers/documented-answers.ts'
import { BOUNDLESS } from '../../helpers/faults.ts'
import { startGateway, statusPath, type TestGateway } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'

/** The example on the page of lemlist's documentation that this project started from. */
const SEED_EXAMPLE =
  '{ "ok": true, "status": { "_id": "axp_7guBefTBQGqFfps87", "id": "axp_7guBefTBQGqFfps87", "teamId": "tea_b4rMsi2trB42WyuWP", "campaignId": "cam_DqHpWfjd67n2KTj2W", "campaignName": "lemstage", "status": "done", "startedAt": "2025-10-27T07:53:16.267Z", "progressIndex": 6, "progressTime": 1761551597286, "progressLastStepDuration": 0, "progressType": "done", "progress": 0, "total": 0, "fileSize": 23654, "endedAt": "2025-10-27T07:53:17.286Z", "url": "https://api.lemlist.com/api/files/exports/fil_axp_7guBefhehehe.csv" } }'

const idsIn = (body: string) => {
  const { id, campaignId } = JSON.parse(body).status
  return { exportId: String(id), campaignId: String(campaignId) }
}

/** Reads the bytes of one answer from the socket. `fetch` would decode and change them. */
const bytesOf = (url: string, method = 'GET') =>
  new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>(
    (resolve, reject) => {
      const request = httpGet(url, { method, agent: false }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        )
      })
      request.on('error', reject)
    },
  )

const start = () => startGateway({ env: BOUNDLESS })

/** Reads the status from the gateway, for which lemlist answers these bytes once. */
const mirrored = async (
  { url, lemlist }: TestGateway,
  body: string | Buffer,
  ids: { campaignId: string; exportId: string } = REF,
) => {
  lemlist.script({ times: 1, exportId: ids.exportId }, { body })
  return bytesOf(url + statusPath(ids))
}

describe('lemlist’s documented examples', () => {
  it.each([
    ['the one that the project started from, with its spaces', SEED_EXAMPLE],
    ['the done one of lemlist’s OpenAPI document', DONE_EXAMPLE],
    ['the pending one of lemlist’s OpenAPI document', PENDING_EXAMPLE],
  ])('are mirrored byte for byte, and again the second time: %s', async (_, example) => {
    const gateway = await start()
    const ids = idsIn(example)
    const first = await mirrored(gateway, example, ids)
    expect([first.status, first.body.toString()]).toEqual([200, example])
    const again = await mirrored(gateway, example, ids)
    expect([again.status, again.body.toString()]).toEqual([200, example])
    expect(first.headers.etag).toBe(again.headers.etag)
  })
})

describe('the mirrored bytes are lemlist’s', () => {
  it('for unknown fields, odd key order, unicode and integers beyond 2^53', async () => {
    const gateway = await start()
    const odd = `{"zebra":[1e400,-0,1.0,9007199254740993,18446744073709551616],\n\t"status" : {"url":"\\u0068\\/x","status":"done","名前":"Zoë 🍋 \\ud83c\\udf4b \u2028","campaignName":"é","campaignId":"${REF.campaignId}","a":{"b":{"c":null}},"id":"${REF.exportId}"},"ok":true,"10":1,"2":2}`
    expect((await mirrored(gateway, odd)).body.toString()).toBe(odd)
    const kept = await bytesOf(gateway.url + statusPath(REF))
    expect(kept.body.toString()).toBe(odd)
    expect(kept.headers['cache-status']).toMatch(/; hit; ttl=/)
    expect(gateway.lemlist.calls).toHaveLength(1)
  })

  it('for any JSON around a state, from lemlist and from the cache', async () => {
    const gateway = await start()
    let seen = 0
    const space = fc.constantFrom('', ' ', '\n', '\r\n\t')
    const state = fc.constantFrom('pending', 'done', 'error', 'queued')
    const field = fc.tuple(fc.string({ unit: 'grapheme' }), fc.json({ maxDepth: 3 }))
    const fields = fc.array(
      field.filter(([name]) => !['id', '_id', 'campaignId', 'status', 'ok'].includes(name)),
      { maxLength: 6 },
    )
    await fc.assert(
      fc.asyncProperty(fields, fields, state, space, async (outer, inner, word, gap) => {
        seen += 1
        const ids = { campaignId: 'cam_Random', exportId: `axp_Random${seen}` }
        const text = (pairs: [string, string][]) =>
          pairs.map(([name, json]) => `${JSON.stringify(name)}:${gap}${json},`).join(gap)
        const body = `${gap}{${text(outer)}"status":${gap}{${text(inner)}"status":"${word}"}${gap}}${gap}`
        for (let round = 0; round < 2; round += 1) {
          const answer = await mirrored(gateway, body, ids)
          expect([answer.status, answer.body.toString()]).toEqual([200, body])
          expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(body)))
        }
      }),
      { numRuns: 150 },
    )
    expect(seen).toBeGreaterThanOrEqual(150)
  })
})

describe('HEAD', () => {
  it.each([
    ['pending', pendingBody()],
    ['done', doneBody()],
  ])('of a %s export has the headers of GET and no body', async (_, body) => {
    const gateway = await start()
    gateway.lemlist.script({}, { body })
    // After a first read, GET and HEAD are answered in the same way, whatever the state is.
    await bytesOf(gateway.url + statusPath(REF))
    const get = await bytesOf(gateway.url + statusPath(REF))
    const head = await bytesOf(gateway.url + statusPath(REF), 'HEAD')
    expect([head.status, head.body.length]).toEqual([200, 0])
    const varying = { 'x-request-id': '', date: '', age: '' }
    const ttl = (headers: Record<string, unknown>) => ({
      ...headers,
      ...varying,
      'cache-status': String(headers['cache-status']).replace(/ttl=\d+/, 'ttl'),
      'cache-control': String(headers['cache-control']).replace(/=\d+/, ''),
    })
    expect(ttl(head.headers)).toEqual(ttl(get.headers))
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(body)))
  })
})
