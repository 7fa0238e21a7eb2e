import { beforeAll, describe, expect, it } from 'vitest'
import { sharedGateway } from '../helpers/gateway.ts'
import { expectProblem } from '../helpers/problem.ts'
import { exchange, readAnswer } from '../helpers/wire.ts'

/**
 * These limits are tested in real time: 4 s for the headers and 5 s for the whole request. The
 * server looks at its connections twice a second.
 */

const HEAD = 'POST /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n'

const UNFINISHED = {
  'before its first byte': '',
  'in the request line': 'GET /health/li',
  'in a header': `${HEAD}X-A: b`,
  'before the end of the headers': HEAD,
  'before the body': `${HEAD}Content-Length: 5\r\n\r\n`,
  'in the body': `${HEAD}Content-Length: 5\r\n\r\n{`,
  'in a chunk': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{`,
} as const

describe('a sender that stops', () => {
  const gateway = sharedGateway()
  const heard = new Map<string, string>()

  beforeAll(async () => {
    // All senders stop at the same time, because each of them takes seconds.
    const { url } = gateway()
    await Promise.all(
      Object.entries(UNFINISHED).map(async ([where, bytes]) => {
        heard.set(where, await exchange(url, bytes, { deadlineMs: 7_000 }))
      }),
    )
  })

  it.each(Object.keys(UNFINISHED))('%s is told so within 7 s and cut off', (where) => {
    const answer = readAnswer(heard.get(where) ?? '')
    if (answer === undefined) throw new Error('cut without a word')
    expectProblem(answer, 'request-timeout')
    expect(answer.headers.get('connection')).toBe('close')
    expect(gateway().lemlist.calls).toEqual([])
  })
})
