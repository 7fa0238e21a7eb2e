import { describe, expect, it } from 'vitest'
import { isState } from '../../helpers/event-connection.ts'
import { eventsPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'
import { startWatching } from '../../helpers/watching.ts'
import { exchange } from '../../helpers/wire.ts'

/** The bytes of the chunks of a body (RFC 9112, 7.1). Throws for bytes that are no chunks. */
const chunksOf = (body: string): string[] => {
  const [, size, rest] = /^([\da-f]+)\r\n(.*)$/s.exec(body) ?? []
  if (size === undefined || rest === undefined) throw new Error(`no chunk: ${body}`)
  const length = Number.parseInt(size, 16)
  expect(rest.slice(length, length + 2)).toBe('\r\n')
  return [rest.slice(0, length), ...(length === 0 ? [] : chunksOf(rest.slice(length + 2)))]
}

describe('the bytes of a stream', () => {
  it('are one chunk for each write, the last chunk, and the answer of the next request', async () => {
    const { url, open, say } = await startWatching()
    say(pendingBody())
    const watcher = open()
    await watcher.waitFor(isState('pending'))
    say(doneBody())
    expect(await watcher.ended).toBe('clean')
    const next = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    const first = `GET ${eventsPath(REF)} HTTP/1.1\r\nHost: localhost\r\n\r\n`
    const text = await exchange(url, first + next)
    const [stream = '', health] = text.split(/(?=HTTP\/1\.1 200 OK)/)
    expect(health).toContain('Connection: close')
    const chunks = chunksOf(stream.slice(stream.indexOf('\r\n\r\n') + 4))
    expect(chunks).toEqual([
      expect.stringMatching(/^retry: \d+\nevent: status\nid: [\w-]+\ndata: .+\n\n$/),
      expect.stringMatching(/^event: end\nretry: 3600000\ndata: .+\n\n$/),
      '',
    ])
  })

  it('are no chunks for a client of HTTP/1.0, which reads to the end of the connection', async () => {
    const { url, open, say } = await startWatching()
    say(doneBody())
    await open().ended
    const text = await exchange(url, `GET ${eventsPath(REF)} HTTP/1.0\r\n\r\n`)
    const [head = '', body] = text.split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(head).not.toMatch(/transfer-encoding/i)
    expect(body).toMatch(/^retry: \d+\nevent: status\n.+event: end\n.+\n\n$/s)
  })
})
