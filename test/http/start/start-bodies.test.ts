import axios from 'axios'
import { describe, expect, it } from 'vitest'
import { curlObstacle, runCurl } from '../../helpers/curl.ts'
import { expectProblem } from '../../helpers/problem.ts'
import { isStart, startGatewayWithCampaign, startPath } from '../../helpers/starts.ts'
import { ask, rawRequest } from '../../helpers/wire.ts'

/** A start has no use for a body. HTTP clients send one, or the type of one, all the same. */

const LIMIT = 16 * 1024
const form = (): FormData => {
  const data = new FormData()
  data.set('campaign', 'a')
  return data
}
const emptyStream = (): ReadableStream =>
  new ReadableStream({ start: (controller) => controller.close() })

const CLIENTS: Readonly<Record<string, (url: string) => Promise<number>>> = {
  'axios.post(url, null)': async (url) => (await axios.post(url, null)).status,
  'axios.post(url)': async (url) => (await axios.post(url)).status,
  'axios.post(url, {})': async (url) => (await axios.post(url, {})).status,
  'axios with an empty form': async (url) =>
    (await axios.post(url, new URLSearchParams(), { adapter: 'fetch' })).status,
  'fetch with FormData': async (url) => (await fetch(url, { method: 'POST', body: form() })).status,
  'fetch with a form of an HTML page': async (url) =>
    (await fetch(url, { method: 'POST', body: new URLSearchParams('a=b') })).status,
  'fetch with a type and no body': async (url) => {
    const headers = { 'content-type': 'application/json' }
    return (await fetch(url, { method: 'POST', headers })).status
  },
  'fetch with a stream that is empty': async (url) => {
    const init = { method: 'POST', body: emptyStream(), duplex: 'half' } as const
    return (await fetch(url, init)).status
  },
}

const obstacle = await curlObstacle()

// Regression: axios and `curl -d ''` got 415, because they name a type for the body they do not send.
describe('a start is begun, whatever the client sends by default:', () => {
  it.each(Object.entries(CLIENTS))('%s', async (_, send) => {
    const gateway = await startGatewayWithCampaign()
    expect(await send(gateway.url + startPath())).toBe(201)
    expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(1)
  })

  it.skipIf(obstacle).each(["-d ''", '--json {}', '-F a=b', '-X POST'])(
    `curl %s${obstacle ? ` (${obstacle})` : ''}`,
    async (options) => {
      const gateway = await startGatewayWithCampaign()
      const out = await runCurl(
        `curl -i ${options.replace('{}', "'{}'")} ${gateway.url}${startPath()}`,
      )
      expect(out).toMatch(/^HTTP\/1\.1 201 /)
    },
  )
})

const TYPES = [
  ['no type', undefined],
  ['JSON that is broken', 'application/json'],
  ['XML', 'application/xml'],
  ['a type that is malformed', 'nonsense;;='],
  ['an empty type', ''],
] as const

describe.each(TYPES)('a body of %s', (_, type) => {
  const send = async (bytes: string, framing: readonly string[]) => {
    const gateway = await startGatewayWithCampaign()
    const typed = type === undefined ? [] : [`Content-Type: ${type}`]
    const headers = ['Host: 127.0.0.1', ...typed, ...framing]
    const answer = await ask(
      gateway.url,
      rawRequest(startPath(), { method: 'POST', headers, body: bytes }),
    )
    return { answer, starts: gateway.lemlist.calls.filter(isStart).length }
  }
  const chunk = (bytes: string) => `${bytes.length.toString(16)}\r\n${bytes}\r\n0\r\n\r\n`

  it.each([
    ['of no byte', '', ['Content-Length: 0']],
    ['of no chunk', '0\r\n\r\n', ['Transfer-Encoding: chunked']],
    ['of one byte', '{', ['Content-Length: 1']],
    ['of one byte in a chunk', chunk('{'), ['Transfer-Encoding: chunked']],
    ['of 16 KiB', 'x'.repeat(LIMIT), [`Content-Length: ${LIMIT}`]],
    ['of 16 KiB in a chunk', chunk('x'.repeat(LIMIT)), ['Transfer-Encoding: chunked']],
  ])('%s does not matter', async (_name, bytes, framing) => {
    const { answer, starts } = await send(bytes, framing)
    expect([answer.status, answer.rest, starts]).toEqual([201, '', 1])
  })

  it.each([
    ['announced', 'x'.repeat(LIMIT + 1), [`Content-Length: ${LIMIT + 1}`]],
    ['in a chunk', chunk('x'.repeat(LIMIT + 1)), ['Transfer-Encoding: chunked']],
  ])('over 16 KiB, %s, is too large, and starts nothing', async (_name, bytes, framing) => {
    const { answer, starts } = await send(bytes, framing)
    expectProblem(answer, 'payload-too-large')
    expect(starts).toBe(0)
  })
})
