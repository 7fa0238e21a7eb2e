import { describe, expect, it } from 'vitest'
import {
  csvAnswer,
  csvOf,
  download,
  filePath,
  isFile,
  openFile,
  scriptFile,
  startFileGateway,
} from '../../helpers/downloads.ts'
import { CANARY, expectProblem } from '../../helpers/faults.ts'
import { KEY } from '../../helpers/gateway.ts'
import { pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'

/** What callers get when they ask for the file of an export. */

const SIZE = 23_654

const startWithFile = async (fileBytes = SIZE) => {
  const gateway = await startFileGateway()
  const ref = gateway.lemlist.add({ durationMs: 0, fileBytes })
  return { gateway, ref, file: csvOf(ref.exportId, fileBytes) }
}

describe('the file of an export that is done', () => {
  it.each([0, 1, 626, SIZE, 1_000_003])('comes with all of its %i bytes', async (size) => {
    const { gateway, ref, file } = await startWithFile(size)
    const { status, headers, bytes, end } = await download(gateway, ref)
    expect([status, end, headers.get('content-length')]).toEqual([200, 'whole', String(size)])
    expect(bytes.equals(file)).toBe(true)
  })

  it('gets a name from the gateway, is treated as nothing but a table, and is not cached', async () => {
    const { gateway, ref } = await startWithFile()
    const { headers } = await download(gateway, ref)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="export_${ref.exportId}.csv"`,
      'cache-control': 'private, no-store',
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'x-request-id': expect.stringMatching(/^[\w-]{36}$/),
    })
  })

  it('is fetched with the key and without an encoding', async () => {
    const { gateway, ref } = await startWithFile()
    await download(gateway, ref, { headers: { 'accept-encoding': 'gzip' } })
    const authorization = `Basic ${Buffer.from(`:${KEY}`).toString('base64')}`
    const path = `/api/files/exports/fil_${ref.exportId}_sandbox_campaign.csv`
    expect(gateway.lemlist.calls.filter(isFile)).toMatchObject([
      { method: 'GET', path, authorization },
    ])
  })

  it('brings none of lemlist’s headers with it', async () => {
    const gateway = await startFileGateway()
    const spikes = { 'Set-Cookie': CANARY, Server: CANARY, 'Content-Disposition': CANARY }
    scriptFile(gateway, csvAnswer('a,b\n', { ...spikes, 'Content-Range': `bytes ${CANARY}` }))
    const { status, headers } = await download(gateway)
    expect(status).toBe(200)
    expect(JSON.stringify([...headers])).not.toContain(CANARY)
  })

  it('needs no look at the status once the final one is known', async () => {
    const { gateway, ref } = await startWithFile()
    await download(gateway, ref)
    gateway.lemlist.clearCalls()
    expect((await download(gateway, ref)).end).toBe('whole')
    expect(gateway.lemlist.calls.map(({ operation }) => operation)).toEqual(['file'])
  })

  // Regression: every file promised ranges. A client that resumed a download trusted that, and failed.
  it.each([
    ['says nothing of ranges', {}, null],
    ['says that it serves none', { 'Accept-Ranges': 'none' }, null],
    ['serves ranges of another unit', { 'Accept-Ranges': 'rows, x-bytes' }, null],
    ['serves ranges', { 'Accept-Ranges': 'bytes' }, 'bytes'],
    ['serves ranges of two units', { 'Accept-Ranges': 'rows, Bytes' }, 'bytes'],
  ])('promises ranges only if lemlist does: it %s', async (_, headers, promised) => {
    const gateway = await startFileGateway()
    scriptFile(gateway, csvAnswer('a,b\n', headers))
    const asked = { headers: { Range: 'bytes=1000-' } }
    for (const asking of [{}, asked, { method: 'HEAD' } as const]) {
      const answer = await download(gateway, REF, asking)
      expect([answer.status, answer.headers.get('accept-ranges')]).toEqual([200, promised])
    }
  })

  it.each([
    [206, 'bytes 1-2/4', 'bc'],
    [416, 'bytes */4', ''],
  ])('is known to have ranges when lemlist answers %i', async (status, range, body) => {
    const gateway = await startFileGateway()
    const headers = { 'Content-Type': 'text/csv', 'Content-Range': range }
    scriptFile(gateway, { status, headers, body })
    const answer = await download(gateway, REF, { headers: { Range: 'bytes=1-2' } })
    expect([answer.status, answer.headers.get('accept-ranges')]).toEqual([status, 'bytes'])
  })

  it('may be of unknown length', async () => {
    const gateway = await startFileGateway()
    scriptFile(gateway, csvAnswer('a,b\n1,2\n', { 'Transfer-Encoding': 'chunked' }))
    const { headers, text, end } = await download(gateway)
    expect([text, end, headers.get('content-length')]).toEqual(['a,b\n1,2\n', 'whole', null])
  })
})

describe('HEAD', () => {
  it('tells how long the file is, without a byte of it', async () => {
    const { gateway, ref } = await startWithFile()
    const { status, headers, bytes, end } = await download(gateway, ref, { method: 'HEAD' })
    expect([status, bytes.length, end]).toEqual([200, 0, 'whole'])
    expect(headers.get('content-length')).toBe(String(SIZE))
    expect(headers.get('content-disposition')).toContain(ref.exportId)
  })

  it('tells no length when lemlist tells none', async () => {
    const gateway = await startFileGateway()
    scriptFile(gateway, csvAnswer('a,b\n', { 'Transfer-Encoding': 'chunked' }))
    const { status, headers } = await download(gateway, REF, { method: 'HEAD' })
    expect([status, headers.get('content-length')]).toEqual([200, null])
  })

  // Regression: the range was passed on. It has no meaning in a HEAD (RFC 9110, 14.2).
  it('ignores a range', async () => {
    const { gateway, ref } = await startWithFile()
    const asking = { method: 'HEAD', headers: { range: 'bytes=0-9' } } as const
    const { status, headers } = await download(gateway, ref, asking)
    expect([status, headers.get('content-length')]).toEqual([200, String(SIZE)])
  })
})

describe('a range', () => {
  it.each([
    ['bytes=10-19', 'bytes 10-19/23654', 10, 20],
    ['bytes=23650-', 'bytes 23650-23653/23654', 23_650, SIZE],
    ['bytes=-5', 'bytes 23649-23653/23654', 23_649, SIZE],
    ['bytes=0-99999', 'bytes 0-23653/23654', 0, SIZE],
  ])('%s is passed on', async (range, contentRange, from, to) => {
    const { gateway, ref, file } = await startWithFile()
    const { status, headers, bytes } = await download(gateway, ref, { headers: { range } })
    expect([status, headers.get('content-range')]).toEqual([206, contentRange])
    expect(headers.get('content-length')).toBe(String(to - from))
    expect(bytes.equals(file.subarray(from, to))).toBe(true)
  })

  it('past the end answers 416 with the length, and nothing else', async () => {
    const { gateway, ref } = await startWithFile()
    const asking = { headers: { range: `bytes=${SIZE}-` } }
    const { status, headers, bytes, end } = await download(gateway, ref, asking)
    expect([status, headers.get('content-range')]).toEqual([416, `bytes */${SIZE}`])
    expect([bytes.length, end, headers.get('content-type')]).toEqual([0, 'whole', null])
  })

  it.each(['bytes=0-1,5-6', 'bytes=0-0,-1', 'bytes=-', 'lines=1-2', 'bytes=a-b', 'bytes = 0-1'])(
    '%s is ignored',
    async (range) => {
      const { gateway, ref, file } = await startWithFile(626)
      const { status, bytes } = await download(gateway, ref, { headers: { range } })
      expect([status, bytes.equals(file)]).toEqual([200, true])
    },
  )

  // The gateway gives no validator, so the caller may have a part of another file.
  it('with If-Range is ignored', async () => {
    const { gateway, ref } = await startWithFile()
    const headers = { range: 'bytes=0-9', 'if-range': '"abc"' }
    expect((await download(gateway, ref, { headers })).status).toBe(200)
  })

  it.each([
    ['206 that nobody asked for', {}, { status: 206, range: 'bytes 0-3/8' }],
    ['416 that nobody asked for', {}, { status: 416, range: 'bytes */8' }],
    ['206 that does not say which', { range: 'bytes=0-3' }, { status: 206, range: 'bytes' }],
    ['416 that says nonsense', { range: 'bytes=9-' }, { status: 416, range: 'bytes 0-1/8' }],
  ])(
    'is told as upstream-invalid when lemlist answers a %s',
    async (_, headers, { status, range }) => {
      const gateway = await startFileGateway()
      scriptFile(gateway, { ...csvAnswer('a,b\n', { 'Content-Range': range }), status })
      expectProblem(await download(gateway, REF, { headers }), 'upstream-invalid')
    },
  )
})

describe('there is no file', () => {
  it('of a pending export: 409, with a Retry-After', async () => {
    const gateway = await startFileGateway()
    gateway.lemlist.script({ operation: 'status' }, { body: pendingBody() })
    const answer = await download(gateway)
    expectProblem(answer, 'export-not-ready')
    expect(answer.headers.get('retry-after')).toMatch(/^[56]$/)
    expect(gateway.lemlist.calls.filter(isFile)).toEqual([])
  })

  it('of an export whose state lemlist has not documented', async () => {
    const gateway = await startFileGateway()
    gateway.lemlist.script({ operation: 'status' }, { body: statusBody('paused') })
    expectProblem(await download(gateway), 'export-not-ready')
  })

  it('of a failed export, even if it has a link', async () => {
    const gateway = await startFileGateway()
    const url = `https://api.lemlist.com/api/files/exports/fil_${REF.exportId}.csv`
    gateway.lemlist.script({ operation: 'status' }, { body: statusBody('error', { url }) })
    expectProblem(await download(gateway), 'export-failed')
    expect(gateway.lemlist.calls.filter(isFile)).toEqual([])
  })

  it('of an export that lemlist does not know', async () => {
    const gateway = await startFileGateway()
    expectProblem(await download(gateway), 'campaign-not-found')
  })

  it('once its 24 h are over by the clock of the gateway: 410 without a call', async () => {
    const gateway = await startFileGateway({ FILE_TTL_MS: '1500' })
    const endedAt = new Date(Date.now() - 1_000).toISOString()
    scriptFile(gateway, csvAnswer('a,b\n'), { endedAt })
    expect((await download(gateway)).status).toBe(200)
    gateway.lemlist.clearCalls()
    const over = () => download(gateway).then(({ status }) => status)
    await expect.poll(over, { timeout: 3_000 }).toBe(410)
    expectProblem(await download(gateway), 'export-expired')
  })

  it.each([404, 410])('once lemlist says %i for it: 410', async (status) => {
    const gateway = await startFileGateway()
    const headers = { 'Content-Type': 'text/plain' }
    scriptFile(gateway, { status, headers, body: 'File not found' })
    expectProblem(await download(gateway), 'export-expired')
  })

  it('under an invalid id', async () => {
    const gateway = await startFileGateway()
    const response = await openFile(`${gateway.url}${filePath({ ...REF, exportId: 'axp-1' })}`)
    expect(response.statusCode).toBe(400)
    expect(gateway.lemlist.calls).toEqual([])
  })
})
