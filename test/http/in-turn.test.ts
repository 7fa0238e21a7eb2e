import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { logLines, startGateway, statusPath } from '../helpers/gateway.ts'
import { expectProblem } from '../helpers/problem.ts'
import { ask, exchange, rawRequest, readAnswer } from '../helpers/wire.ts'

/** Several requests on one connection, sent before the first of them is answered (pipelining). */

const START = '/campaigns/cam_A1B2C3/export/start'
const HOST = 'Host: 127.0.0.1'
/** A request that leaves the connection open. */
const more = (method: string, target: string, ...headers: readonly string[]): string =>
  [`${method} ${target} HTTP/1.1`, HOST, ...headers, '', ''].join('\r\n')
const SMUGGLED = more('POST', START, 'Content-Length: 0')

/** Requests whose answer closes the connection, though they do not ask for that. */
const CLOSING: Readonly<Record<string, string>> = {
  'a GET with a body': `${more('GET', '/health/live', 'Content-Length: 5')}hello`,
  'a GET with chunks': `${more('GET', '/health/live', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
  'a body over the limit': `${more('POST', '/health/live', 'Content-Type: application/json', 'Content-Length: 20000')}${'a'.repeat(20_000)}`,
  'a start with a body over the limit': `${more('POST', START, 'Content-Length: 20000')}${'a'.repeat(20_000)}`,
  'HTTP/1.0 with chunks': `POST /health/live HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'HTTP/1.0': 'GET /health/live HTTP/1.0\r\n\r\n',
  'an answer to the end of it': rawRequest('/health/live'),
}

describe('requests on one connection', () => {
  // Regression: the second one was run, and a start began an export that nobody was told of.
  it.each(Object.entries(CLOSING))(
    'nothing is run behind %s, which closes the connection',
    async (_, closing) => {
      const { url, lemlist, logs } = await startGateway()
      const text = await exchange(url, closing + SMUGGLED)
      expect(readAnswer(text)).toMatchObject({ rest: '' })
      expect(readAnswer(text)?.headers.get('connection')).toBe('close')
      expect(logLines(logs()).filter(({ msg }) => msg === 'request')).toHaveLength(1)
      expect(lemlist.calls).toEqual([])
    },
  )

  it('are answered in their order, each once, and run one after the other', async () => {
    const { url, lemlist } = await startGateway()
    const ref = lemlist.add({ outcome: 'never' })
    const bytes =
      more('GET', statusPath(ref), 'X-Request-Id: first', 'Prefer: wait=1') +
      more('POST', '/health/live', 'X-Request-Id: second', 'Content-Length: 2') +
      '{}' +
      rawRequest('/health/live', { headers: [HOST, 'X-Request-Id: third'] })
    const text = await exchange(url, bytes)
    const ids = [...text.matchAll(/\r\nx-request-id: (\w+)/gi)].map(([, id]) => id)
    expect(ids).toEqual(['first', 'second', 'third'])
  })

  it('are dropped without a trace when their caller leaves before their turn', async () => {
    const { url, lemlist, logs, close } = await startGateway()
    const ref = lemlist.add({ outcome: 'never' })
    const socket = connect(Number(new URL(url).port))
    socket.write(more('GET', statusPath(ref).replace('status', 'events')) + SMUGGLED)
    await once(socket, 'data')
    socket.destroy()
    await vi.waitFor(() => expect(logs()).toMatch(/"msg":"request"/))
    await close()
    expect(logs()).not.toContain('/export/start')
    expect(lemlist.calls.filter(({ path }) => path.endsWith('/start'))).toEqual([])
  })

  it('may be 100 that wait, and one more closes the connection', async () => {
    const { url, lemlist, logs } = await startGateway()
    const ref = lemlist.add({ outcome: 'never' })
    const socket = connect(Number(new URL(url).port))
    onTestFinished(() => void socket.destroy())
    const closed = once(socket, 'close')
    socket.write(more('GET', statusPath(ref).replace('status', 'events')))
    await once(socket, 'data')
    socket.on('error', () => {}).resume()
    socket.write(more('GET', '/health/live').repeat(101))
    await closed
    expect(logs()).not.toContain('/health/live')
  })

  // Regression: it was taken for a request with chunks, though HTTP/1.0 has none.
  it.each(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nConnection: keep-alive'])(
    'of HTTP/1.0 with "%s" is a 400, and the connection is closed',
    async (header) => {
      const { url, lemlist } = await startGateway()
      const answer = await ask(url, `POST ${START} HTTP/1.0\r\n${header}\r\n\r\n0\r\n\r\n`)
      expectProblem(answer, 'invalid-request')
      expect(answer.headers.get('connection')).toBe('close')
      expect(lemlist.calls).toEqual([])
    },
  )
})
