import { describe, expect, it } from 'vitest'
import { expectProblem } from '../../helpers/problem.ts'
import { isStart, startGatewayWithCampaign, startPath } from '../../helpers/starts.ts'
import { ask, rawRequest } from '../../helpers/wire.ts'

/** Which pages may start an export: `test/browser/foreign-page.test.ts` has the real ones. */

const PUBLIC_URL = 'https://gw.example.com/lemlist'

const startWith = async (...headers: readonly string[]) => {
  const gateway = await startGatewayWithCampaign({ PUBLIC_URL })
  const named = headers.some((header) => header.startsWith('Host:')) ? [] : ['Host: localhost:8080']
  const bytes = rawRequest(startPath(), { method: 'POST', headers: [...named, ...headers] })
  const answer = await ask(gateway.url, bytes)
  return { answer, starts: gateway.lemlist.calls.filter(isStart).length }
}

describe('a start is refused to', () => {
  // Regression: a form or `fetch` of any page on the web could start exports on a developer's machine.
  it.each([
    ['a page of another host', ['Origin: https://other.example', 'Sec-Fetch-Site: cross-site']],
    ['a page of another port', ['Origin: http://localhost:3000', 'Sec-Fetch-Site: same-site']],
    ['a page of another loopback name', ['Origin: http://127.0.0.1:8080']],
    ['a page of the default port', ['Origin: http://localhost']],
    ['a page without an origin', ['Origin: null', 'Sec-Fetch-Site: cross-site']],
    ['a page of a file', ['Origin: file://']],
    ['a browser extension', ['Origin: chrome-extension://localhost:8080']],
    ['an origin that is none', ['Origin: localhost:8080']],
    ['two origins', ['Origin: http://localhost:8080', 'Origin: https://other.example']],
    ['a user name like ours', ['Origin: http://localhost:8080@other.example']],
    ['a host that begins like ours', ['Origin: http://localhost:8080.other.example']],
    ['a host below the public one', ['Origin: https://evil.gw.example.com']],
    ['another port of the public host', ['Origin: https://gw.example.com:8443']],
    ['a foreign page whose browser says no origin', ['Sec-Fetch-Site: cross-site']],
    ['a foreign page with an empty origin', ['Origin: ', 'Sec-Fetch-Site: cross-site']],
    ['a body of a foreign page', ['Origin: null', 'Content-Type: text/plain', 'Content-Length: 0']],
  ])('%s', async (_, headers) => {
    const { answer, starts } = await startWith(...headers)
    expectProblem(answer, 'forbidden')
    expect(starts).toBe(0)
  })
})

describe('a start is begun for', () => {
  it.each([
    ['a program, which has no origin', []],
    ['a page of the gateway', ['Origin: http://localhost:8080', 'Sec-Fetch-Site: same-origin']],
    ['a page of the gateway in other letters', ['Origin: HTTP://LocalHost:8080']],
    ['a page of the gateway at port 80', ['Host: localhost:80', 'Origin: http://localhost']],
    [
      'a page of the gateway behind TLS',
      ['Host: gw.example.com:443', 'Origin: https://gw.example.com'],
    ],
    ['a page of PUBLIC_URL behind a proxy that changes Host', ['Origin: https://gw.example.com']],
    ['a page of the gateway in an older browser', ['Sec-Fetch-Site: same-origin']],
    ['a page of the same site in an older browser', ['Sec-Fetch-Site: same-site']],
    ['a person who types', ['Sec-Fetch-Site: none']],
  ])('%s', async (_, headers) => {
    const { answer, starts } = await startWith(...headers)
    expect([answer.status, starts]).toEqual([201, 1])
  })
})
