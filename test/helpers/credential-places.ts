import { statusPath } from './gateway.ts'
import { rawRequest } from './wire.ts'

/** Where a client may put a credential, rightly or wrongly. */

/** Places that every route has. */
export const waysToShow = (secret: string): { headers: readonly string[]; query: string }[] => {
  const basic = Buffer.from(`:${secret}`).toString('base64')
  return [
    { headers: [`Authorization: Bearer ${secret}`], query: '' },
    { headers: [`X-Api-Key: ${secret}`], query: '' },
    { headers: [`Authorization: Bearer ${secret}x`], query: '' },
    { headers: [`Authorization: Basic ${basic}`], query: '' },
    { headers: [`Authorization: Bearer ${secret}`, `X-Api-Key: ${secret}`], query: '' },
    { headers: [`Cookie: token=${secret}`], query: '' },
    { headers: [], query: `?ticket=${encodeURIComponent(secret)}` },
    { headers: [], query: `?api_key=${encodeURIComponent(secret)}&ticket=x` },
    // The parser refuses these two.
    { headers: [`Authorization: Bearer ${secret}`, `X-A: ${'a'.repeat(17_000)}`], query: '' },
    { headers: [`Authorization: Bearer ${secret}`, 'X-A: \0'], query: '' },
  ]
}

const HOST = 'Host: 127.0.0.1'

/**
 * Requests with a secret where none belongs: in an id, in a body, in a header for something else.
 *
 * @param key of a caller, so that the gateway looks at more than the credential
 */
export const misplaced = (secret: string, key: string): readonly string[] => {
  const coded = encodeURIComponent(secret)
  const status = statusPath({ campaignId: 'cam_A1', exportId: 'axp_A1' })
  const known = [HOST, `X-Api-Key: ${key}`]
  const get = (target: string, ...headers: readonly string[]) =>
    rawRequest(target, { headers: [...known, ...headers] })
  const post = (target: string, body: string, type = 'application/json') =>
    rawRequest(target, {
      method: 'POST',
      headers: [...known, `Content-Type: ${type}`, `Content-Length: ${Buffer.byteLength(body)}`],
      body,
    })
  return [
    ...['X-Lemlist-Account', 'Last-Event-ID', 'If-None-Match', 'Prefer', 'Range', 'Accept'].map(
      (name) => get(status, `${name}: ${secret}`),
    ),
    rawRequest(status, { headers: [HOST, `Origin: https://${secret}`] }),
    rawRequest(status, { headers: [`Host: ${secret}`] }),
    rawRequest(`http://${secret}${status}`),
    get(`/campaigns/${coded}/export/${coded}/status`),
    get(`/campaigns/%zz${coded}/export/x/status`),
    get(`/events?export=${coded}`),
    get(`/${coded}`),
    get(`/${coded}${'x'.repeat(3_000)}`),
    post('/tickets', secret),
    post('/tickets', JSON.stringify({ exports: [secret], [secret]: 1, ttl: secret })),
    post('/tickets', secret, secret),
    post('/tickets', secret.repeat(1_000)),
    post('/campaigns/cam_A1/export/start', secret),
    // The parser refuses these two.
    rawRequest(status, { headers: [HOST, secret] }),
    `${secret} / HTTP/1.1\r\n\r\n`,
  ]
}
