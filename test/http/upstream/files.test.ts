import { performance } from 'node:perf_hooks'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../../src/lemlist/client.ts'
import { FILE_NAME } from '../../helpers/downloads.ts'
import { DAY } from '../../helpers/fakes.ts'
import { listenForFiles } from '../../helpers/file-upstream.ts'

/** How the client of lemlist treats a file that takes too long. */

const start = async (limits: { readonly fileIdleMs?: number; readonly longestFileMs?: number }) => {
  const upstream = await listenForFiles()
  let taken = 0
  const client = createLemlist({
    baseUrl: new URL(upstream.url),
    apiKey: () => 'key',
    account: 'default',
    budget: {
      take: async () => {
        taken += 1
        return 0
      },
      pause: async () => {},
      pausedMs: async () => 0,
    },
    timeoutMs: 5_000,
    fileTtlMs: DAY,
    ...limits,
  })
  onTestFinished(() => client.close())
  const due = performance.now()
  const open = client.file(FILE_NAME, {
    range: undefined,
    signal: new AbortController().signal,
    turn: { due, giveUpAt: due + 5_000, callClass: 'watched' },
  })
  const call = await upstream.call(0)
  return { open, call, taken: () => taken }
}

const HEAD = { 'Content-Type': 'text/csv', 'Content-Length': 9 }

describe('a file', () => {
  it('is one call of the budget', async () => {
    const { open, call, taken } = await start({})
    call.response.writeHead(200, HEAD).end('a,b\n1,2\n\n')
    expect(await text((await open).body)).toBe('a,b\n1,2\n\n')
    expect(taken()).toBe(1)
  })

  it('breaks off when no byte comes for too long', async () => {
    const { open, call } = await start({ fileIdleMs: 100 })
    call.response.writeHead(200, HEAD).write('a')
    await expect(text((await open).body)).rejects.toMatchObject({ name: 'BodyTimeoutError' })
    await call.closed
  })

  it('is a time-out when not even its first byte comes', async () => {
    const { open, call } = await start({ fileIdleMs: 100 })
    call.response.writeHead(200, HEAD).flushHeaders()
    await expect(open).rejects.toMatchObject({ code: 'upstream-timeout' })
    await call.closed
  })

  it('does not break off when its caller does not read for longer than that', async () => {
    const { open, call } = await start({ fileIdleMs: 100 })
    const size = 16 * 1024 * 1024
    call.response.writeHead(200, { ...HEAD, 'Content-Length': size }).end(Buffer.alloc(size))
    const { body } = await open
    // This is several times `fileIdleMs`. The file must not break off meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 500))
    let bytes = 0
    for await (const chunk of body) bytes += chunk.length
    expect(bytes).toBe(size)
  })

  it('is cut when it takes too long, even while bytes come', async () => {
    const { open, call } = await start({ longestFileMs: 300 })
    call.response.writeHead(200, { 'Content-Type': 'text/csv' })
    const drip = setInterval(() => call.response.write('a'), 10)
    onTestFinished(() => clearInterval(drip))
    await expect(text((await open).body)).rejects.toMatchObject({ name: 'TimeoutError' })
    await call.closed
  })
})
