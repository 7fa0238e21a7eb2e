import { type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AccountParts, Entry } from '../../../src/http/entry.ts'
import { fileRoute } from '../../../src/http/routes/file.ts'
import { createServer } from '../../../src/http/server.ts'
import { ANONYMOUS } from '../../helpers/callers.ts'
import {
  csvAnswer,
  download,
  filePath,
  openFile,
  readFile,
  scriptFile,
  startFileGateway,
} from '../../helpers/downloads.ts'
import { expectProblem } from '../../helpers/faults.ts'
import { listenForFiles } from '../../helpers/file-upstream.ts'
import { logLines, memoryLogger } from '../../helpers/gateway.ts'

/** Transfers that are under way: callers who leave or stall, and how many transfers are allowed. */

/** How many downloads a gateway makes at once. */
const CAP = 32

const startBefore = async (env: Readonly<Record<string, string>> = {}) => {
  const upstream = await listenForFiles()
  const gateway = await startFileGateway({ LEMLIST_BASE_URL: upstream.url, ...env })
  return { upstream, gateway, url: gateway.url + filePath() }
}

describe('a caller who leaves', () => {
  it.each([
    ['a GET', {}],
    ['a GET with empty chunks', { 'transfer-encoding': 'chunked' }],
  ])(
    'before the head, after %s, ends the call to lemlist, and is not logged as trouble of lemlist',
    async (_, headers) => {
      // Longer than the test may take: it is not the time-out that ends the call.
      const { upstream, gateway, url } = await startBefore({ LEMLIST_TIMEOUT_MS: '60000' })
      const call = request(url, { agent: false, headers })
      call.on('error', () => {})
      call.end()
      const { closed, response } = await upstream.call(0)
      call.destroy()
      await closed
      expect(response.headersSent).toBe(false)
      const logged = () => logLines(gateway.logs()).find(({ msg }) => msg === 'request')
      await expect.poll(logged).toMatchObject({ aborted: true, level: 30 })
      expect(logged()).not.toHaveProperty('problem')
    },
  )

  it('in the middle ends the call to lemlist', async () => {
    const { upstream, url } = await startBefore()
    const opening = openFile(url)
    const { closed, response } = await upstream.call(0)
    response.writeHead(200, { 'Content-Type': 'text/csv' }).write('a,b\n')
    const answer = await opening
    answer.destroy()
    await closed
    expect(response.writableFinished).toBe(false)
  })

  it('while his connection is full ends the call to lemlist', async () => {
    const { upstream, url } = await startBefore()
    const opening = openFile(url)
    const { closed, response } = await upstream.call(0)
    response.writeHead(200, { 'Content-Type': 'text/csv' })
    const flood = Readable.from(endless())
    flood.pipe(response)
    onTestFinished(() => void flood.destroy())
    const answer = await opening
    answer.pause()
    await new Promise<void>((resolve) => {
      const look = () => (response.writableNeedDrain ? resolve() : setImmediate(look))
      look()
    })
    answer.destroy()
    await closed
  })

  it('after a HEAD costs lemlist no more than the head', async () => {
    const { upstream, url } = await startBefore()
    const opening = openFile(url, { method: 'HEAD' })
    const { closed, response } = await upstream.call(0)
    response.writeHead(200, { 'Content-Type': 'text/csv', 'Content-Length': 9 }).write('a')
    expect((await readFile(await opening)).headers.get('content-length')).toBe('9')
    await closed
    expect(response.writableFinished).toBe(false)
  })
})

const endless = function* (): Generator<Buffer> {
  for (;;) yield Buffer.alloc(64 * 1024)
}

describe('the cap on downloads', () => {
  /** Starts as many downloads as fit. Each caller has the head, and the end is still to come. */
  const fill = async ({ upstream, url }: Awaited<ReturnType<typeof startBefore>>, from: number) => {
    const running: { readonly answer: IncomingMessage; readonly end: () => void }[] = []
    // One after the other, so that each call to lemlist is known to belong to its download.
    while (running.length < CAP) {
      const opening = openFile(url)
      const { response } = await upstream.call(from + running.length)
      response.writeHead(200, { 'Content-Type': 'text/csv', 'Content-Length': 8 }).write('a,b\n')
      running.push({ answer: await opening, end: () => response.end('1,2\n') })
    }
    return running
  }

  it('refuses one download too many, and takes it once another has ended', async () => {
    const begun = await startBefore()
    const { upstream, gateway } = begun
    const running = await fill(begun, 0)
    const refused = await download(gateway)
    expectProblem(refused, 'overloaded')
    expect(refused.headers.get('retry-after')).toBe('10')
    expect(upstream.calls()).toBe(CAP)

    for (const { answer, end } of running.slice(0, 1)) {
      end()
      expect(await readFile(answer)).toMatchObject({ text: 'a,b\n1,2\n', end: 'whole' })
    }
    const next = openFile(gateway.url + filePath())
    const { response } = await upstream.call(CAP)
    response.writeHead(200, { 'Content-Type': 'text/csv' }).end('c\n')
    expect((await readFile(await next)).text).toBe('c\n')
  })

  it('does not limit reads of the status', async () => {
    const begun = await startBefore()
    await fill(begun, 0)
    const status = await fetch(begun.url.replace(/file$/, 'status'))
    expect(status.status).toBe(200)
  })

  it('counts each download once, however it ended', async () => {
    const begun = await startBefore({ LEMLIST_TIMEOUT_MS: '400' })
    const { upstream, gateway, url } = begun
    /** The ways in which lemlist ends a download. */
    const ends: ((index: number) => Promise<unknown>)[] = [
      async (index) => (await upstream.call(index)).response.writeHead(500).end(),
      async (index) => (await upstream.call(index)).response.writeHead(404).end('gone'),
      async (index) => (await upstream.call(index)).request.socket.resetAndDestroy(),
      async (index) => {
        const { response, request: call } = await upstream.call(index)
        response.writeHead(200, { 'Content-Length': 99 }).write('a')
        setImmediate(() => call.socket.destroy())
      },
      async (index) => (await upstream.call(index)).response.writeHead(200).end(''),
      async (index) =>
        (await upstream.call(index)).response
          .writeHead(200, { 'Content-Length': 2 * 1024 ** 3 })
          .write('a'),
      // lemlist answers nothing at all.
      (index) => upstream.call(index),
    ]
    let index = 0
    for (let round = 0; round < 3; round += 1) {
      for (const end of ends) {
        const downloading = download(gateway)
        await end(index)
        await downloading
        index += 1
      }
      const leaving = openFile(url)
      const { response, closed } = await upstream.call(index)
      response.writeHead(200, { 'Content-Type': 'text/csv' }).write('a')
      const answer = await leaving
      answer.destroy()
      await closed
      index += 1
    }
    expect(index).toBeGreaterThan(20)
    await fill(begun, index)
    expectProblem(await download(gateway), 'overloaded')
  })
})

describe('a caller who takes nothing', () => {
  it('is cut, and the body that was sent to him is closed', async () => {
    const body = Readable.from(endless())
    const ended = new Promise<void>((resolve) => body.once('close', resolve))
    const head = { status: 200, length: undefined, framed: true, range: undefined } as const
    const answer = { ...head, servesRanges: false, body }
    // The route uses nothing else of an account.
    const account = { files: { open: async () => answer } } as unknown as AccountParts
    const entry: Pick<Entry, 'enter'> = {
      enter: (_request, _scope, ids) => ({
        ...{ account, caller: ANONYMOUS },
        ref: { ...ids, account: 'default' },
      }),
    }
    const app = createServer({
      logger: memoryLogger().logger,
      loopback: true,
      draining: () => false,
    })
    onTestFinished(() => app.close())
    fileRoute(app, { entry, stuckMs: 300 })
    const stalled = await openFile((await app.listen({ port: 0 })) + filePath())
    stalled.pause()
    await ended
    expect((await readFile(stalled)).end).toBe('broken')
  })
})

it('a file is a call like any other: it waits for a slot of the budget', async () => {
  const gateway = await startFileGateway({
    LEMLIST_RATE_LIMIT: '1',
    LEMLIST_RATE_WINDOW_MS: '60000',
    LEMLIST_TIMEOUT_MS: '400',
  })
  scriptFile(gateway, csvAnswer('a,b\n'))
  // The look at the status took the only slot.
  expectProblem(await download(gateway), 'budget-exhausted')
  expect(gateway.lemlist.calls.map(({ operation }) => operation)).toEqual(['status'])
})
