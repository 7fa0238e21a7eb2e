import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { sharedGateway } from '../helpers/gateway.ts'
import { expectProblem } from '../helpers/problem.ts'
import { ask, rawRequest } from '../helpers/wire.ts'

/** Well-formed requests that the gateway refuses before a route handles them. */

const HOST = 'Host: 127.0.0.1'
const STATUS = '/campaigns/cam_A1B2C3/export/axp_D4E5F6/status'

describe('the limits of a request:', () => {
  const gateway = sharedGateway()
  const refused = async (bytes: string, code: string) => {
    const { url, lemlist } = gateway()
    const problem = expectProblem(await ask(url, bytes), code)
    expect(lemlist.calls).toEqual([])
    return problem
  }

  it.each([2_049, 4_000, 10_000, 16_300, 17_000, 40_000, 200_000])(
    'a URL of %d bytes is too long',
    async (length) => {
      const target = `${STATUS}?`.padEnd(length, 'q')
      await refused(rawRequest(target), 'uri-too-long')
    },
  )

  it('a URL of 2 048 bytes is accepted', async () => {
    const answer = await ask(gateway().url, rawRequest('/health/live?'.padEnd(2_048, 'q')))
    expect(answer.status).toBe(200)
  })

  it('a URL in absolute form is measured in the same way', async () => {
    await refused(rawRequest(`http://127.0.0.1/${'a'.repeat(2_048)}`), 'uri-too-long')
  })

  it.each([
    ['one header of 17 000 bytes', [`X-A: ${'a'.repeat(17_000)}`]],
    ['one header of 200 000 bytes', [`X-A: ${'a'.repeat(200_000)}`]],
    ['many small headers', Array.from({ length: 4_000 }, (_, n) => `X-${n}: a`)],
    ['a long name', [`X-${'a'.repeat(17_000)}: a`]],
    ['a long cookie', [`Cookie: a=${'b'.repeat(17_000)}`]],
  ])('%s is too much', async (_, headers) => {
    await refused(rawRequest(STATUS, { headers: [HOST, ...headers] }), 'header-too-large')
  })

  // Regression: the server closed the connection with unread bytes. That is a reset, which destroys
  // an answer that the client has not read yet.
  it('a request that is still being sent gets its refusal without a reset', async () => {
    const socket = connect(Number(new URL(gateway().url).port), '127.0.0.1')
    const errors: Error[] = []
    socket.on('error', (error) => errors.push(error))
    const request = rawRequest(STATUS, { headers: [HOST, `X-A: ${'a'.repeat(2_000_000)}`] })
    socket.write(request)
    const text = (await socket.setEncoding('latin1').toArray()).join('')
    expect(text).toMatch(/^HTTP\/1\.1 431 /)
    expect(errors).toEqual([])
  })

  it('15 000 bytes of headers are accepted', async () => {
    const headers = [HOST, `X-A: ${'a'.repeat(15_000)}`]
    expect((await ask(gateway().url, rawRequest('/health/live', { headers }))).status).toBe(200)
  })

  it.each([
    ['announced', ['Content-Length: 16385'], 'a'.repeat(16_385)],
    ['in chunks', ['Transfer-Encoding: chunked'], `5000\r\n${'a'.repeat(20_480)}\r\n0\r\n\r\n`],
  ])('a body over 16 KiB, %s, is too large', async (_, framing, body) => {
    const headers = [HOST, 'Content-Type: application/json', ...framing]
    await refused(rawRequest(STATUS, { method: 'POST', headers, body }), 'payload-too-large')
  })
})

describe('a wrong method:', () => {
  const gateway = sharedGateway()
  const METHODS = [
    ...['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'MKCOL', 'REPORT'],
    ...['SEARCH', 'M-SEARCH', 'LOCK', 'UNLOCK', 'BIND', 'ACL', 'PURGE', 'SUBSCRIBE', 'SOURCE'],
    ...['QUERY', 'LINK', 'MERGE'],
  ]

  it.each(METHODS)(
    '%s of a status is not allowed, and Allow names the methods that are',
    async (method) => {
      const { url, lemlist } = gateway()
      const answer = await ask(url, rawRequest(STATUS, { method }))
      expectProblem(answer, 'method-not-allowed')
      expect(answer.headers.get('allow')).toBe('GET, HEAD')
      expect(lemlist.calls).toEqual([])
    },
  )

  // Regression: Allow was taken from the first of several routes with the same path. For `/docs/`
  // it named only HEAD.
  it.each([
    '/health/live',
    '/health/ready',
    '/openapi.json',
    '/docs',
    '/docs/',
    '/docs/static/x.js',
  ])('POST of %s is not allowed either', async (target) => {
    const answer = await ask(gateway().url, rawRequest(target, { method: 'POST' }))
    expectProblem(answer, 'method-not-allowed')
    expect(answer.headers.get('allow')).toBe('GET, HEAD')
  })

  // Regression: a URL that names its host was a 404, because the whole URL was compared as a path.
  it('DELETE is not allowed either when the URL names the host', async () => {
    const target = `http://127.0.0.1${STATUS}?a=b`
    const answer = await ask(gateway().url, rawRequest(target, { method: 'DELETE' }))
    expectProblem(answer, 'method-not-allowed')
  })

  // Regression: Fastify parses a body before it refuses the method, so a broken body was a 400.
  it.each([
    ['JSON that is broken', 'application/json', '{x'],
    ['no JSON at all', 'application/json', ''],
    ['a type that nobody reads', 'text/xml', '<a/>'],
    ['a prototype', 'application/json', '{"__proto__":{"a":1}}'],
    ['a type that is malformed', 'nonsense', '{}'],
  ])('POST is not allowed whatever its body is: %s', async (_, type, body) => {
    const headers = [HOST, `Content-Type: ${type}`, `Content-Length: ${body.length}`]
    const request = rawRequest(STATUS, { method: 'POST', headers, body })
    expectProblem(await ask(gateway().url, request), 'method-not-allowed')
    const elsewhere = rawRequest('/nowhere', { method: 'POST', headers, body })
    expectProblem(await ask(gateway().url, elsewhere), 'not-found')
  })

  // Regression: Fastify waited for content of the type. A request without content tells of no end.
  it.each([
    ['POST', 'application/json'],
    ['POST', 'nonsense'],
    ['PUT', 'text/plain'],
    ['DELETE', 'application/json'],
    ['QUERY', 'application/json'],
  ])('%s with the type %s but without content is not waited for', async (method, type) => {
    const asked = { method, headers: [HOST, `Content-Type: ${type}`] }
    const { url } = gateway()
    expectProblem(await ask(url, rawRequest(STATUS, asked)), 'method-not-allowed')
    expectProblem(await ask(url, rawRequest('/nowhere', asked)), 'not-found')
  })

  it('POST is not allowed even for an invalid id', async () => {
    const target = '/campaigns/tea_1/export/../status'
    const answer = await ask(gateway().url, rawRequest(target, { method: 'POST' }))
    expectProblem(answer, 'method-not-allowed')
  })
})

describe('an unknown route:', () => {
  const gateway = sharedGateway()

  it.each([
    '/nowhere',
    '/campaigns',
    '/campaigns/cam_A1B2C3/export',
    '/campaigns/cam_A1B2C3/export/axp_D4E5F6/email/someone@example.com',
    '/campaigns/cam_A1B2C3/export/leads',
    '/api/campaigns/cam_A1B2C3/export/axp_D4E5F6/status',
    '/health',
    '/docs/static/..%2f..%2f..%2fpackage.json',
    '/docs/static/nothing.js',
    '/.env',
    '*',
  ])('%s is not found', async (target) => {
    const { url, lemlist } = gateway()
    expectProblem(await ask(url, rawRequest(target)), 'not-found')
    expect(lemlist.calls).toEqual([])
  })

  it('it is not found with another method either', async () => {
    const answer = await ask(gateway().url, rawRequest('/nowhere', { method: 'MKCOL' }))
    expectProblem(answer, 'not-found')
  })

  it.each(['/%zz', '/nowhere%', '/docs/static/%ff', '/docs/static/%2e%2e/package.json'])(
    '%s is malformed',
    async (target) => {
      expectProblem(await ask(gateway().url, rawRequest(target)), 'invalid-request')
    },
  )
})
