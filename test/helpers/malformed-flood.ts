import { BROKEN_BODIES, HOST, LIVE, NOT_HTTP, REFUSED } from './malformed.ts'
import type { Random } from './random.ts'
import { rawRequest } from './wire.ts'

/** Makes malformed requests without end: what somebody wrote down, and mutations of other requests. */

const JSON_BODY = 'Content-Type: application/json'
const EXPORT = '/campaigns/cam_..%2f/export/axp_%00%01'
const posted = (target: string, body: string, ...headers: string[]): string =>
  rawRequest(target, {
    method: 'POST',
    headers: [HOST, ...headers, `Content-Length: ${Buffer.byteLength(body)}`],
    body,
  })
const got = (target: string, ...headers: string[]): string =>
  rawRequest(target, { headers: [HOST, ...headers] })

/** Correct HTTP whose meaning is wrong: ids, headers, queries and bodies. */
const SENSELESS: readonly string[] = [
  got(`${EXPORT}/status`, 'Prefer: wait=-1, wait="x"; =', 'If-None-Match: W/"a, "b'),
  got(`${EXPORT}/events`, 'Last-Event-ID: ../../1', 'Accept: text/event-stream;q=2'),
  got(`${EXPORT}/file`, 'Range: bytes=9-1,--3,1e9-', 'If-Range: "'),
  got(`/events?${'export=cam_%zz/axp_%ff&'.repeat(40)}`),
  got(`/events?export=${'%2e'.repeat(300)}`),
  got(`/events?export[]=1&export[__proto__]=2&ticket=a&ticket=b`),
  got(`${EXPORT}/status?ticket=eyJhbGciOiJub25lIn0.e30.`),
  got(`${EXPORT}/status`, 'X-Lemlist-Account: __proto__', 'X-Request-Id: \x80\xff"\\'),
  got(`${EXPORT}/status`, `Cookie: ${'a=b; '.repeat(2_000)}`),
  got(`${EXPORT}/status`, `X-Long: ${'a'.repeat(20_000)}`),
  got(`${EXPORT}/status`, ...Array.from({ length: 300 }, (_, n) => `X-${n}: ${n}`)),
  got(`/${'a/../'.repeat(600)}status`),
  got('/docs/%2e%2e/%2e%2e/etc/passwd'),
  got('/client/..%5c..%5cpackage.json'),
  got('//evil.example/%0d%0aX-Evil:%201'),
  posted(`/campaigns/cam_%41%zz/export/start`, '{"a":', JSON_BODY, 'Idempotency-Key: "a", "b"'),
  posted(`/campaigns/cam_$/export/start`, '{}', JSON_BODY, `Idempotency-Key: ${'k'.repeat(300)}`),
  posted('/campaigns/cam_$/export/start', '<a/>', 'Content-Type: text/xml'),
  posted('/campaigns/cam_$/export/start', '\x1f\x8b\b', JSON_BODY, 'Content-Encoding: gzip'),
  posted('/tickets', '{"exports":[', JSON_BODY),
  posted('/tickets', '[]', JSON_BODY),
  posted('/tickets', '{"__proto__":{"a":1},"campaigns":{"length":1e9}}', JSON_BODY),
  posted('/tickets', `${'['.repeat(8_000)}`, JSON_BODY),
  posted('/tickets', `{"ttlMs":1e400,"exports":"${'x'.repeat(15_000)}"}`, JSON_BODY),
  posted('/tickets', '\xef\xbb\xbf{}', 'Content-Type: application/json; charset=utf-7'),
  posted('/tickets', 'a'.repeat(20_000), JSON_BODY),
]

/** Where mutations begin. The ids are wrong in several places, so that hardly any becomes right. */
const SEEDS = [...SENSELESS, got(LIVE, 'Accept: application/json'), got('/nowhere')]
const TELLING = [' ', '\r', '\n', '\r\n', '\r\n\r\n', '\0', ':', '%', '/', '..', '?', '0', '\xff']
/** A mutation could make a request that is right, which may well reach lemlist. */
const IS_RIGHT = /cam_[A-Za-z0-9]+(\/|%2f)(export|[a-z]{3}_[A-Za-z0-9])/i

const mutated = (text: string, random: Random): string => {
  const at = random.between(0, Math.min(text.length, 400))
  const [first = ' ', ...others] = TELLING
  const piece = random.pick([first, ...others])
  const length = random.between(1, 12)
  return random.pick([
    () => text.slice(0, at) + piece + text.slice(at),
    () => text.slice(0, at) + piece + text.slice(at + piece.length),
    () => text.slice(0, at) + text.slice(at + length),
    () => text.slice(0, at + length) + text.slice(at),
  ])()
}

/** @param credential a header line, for half of the requests */
export const createMalformed = (random: Random, credential: string) => {
  const [first = '', ...others] = [NOT_HTTP, REFUSED, BROKEN_BODIES]
    .flatMap((cases) => Object.values(cases))
    .map((bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1')))
  const [seed = '', ...seeds] = SEEDS
  const withCredential = (text: string): string =>
    text.replace(`${HOST}\r\n`, `${HOST}\r\n${credential}\r\n`)
  const base = (): string => {
    if (random.next() < 0.2) return random.pick([first, ...others])
    let text = random.pick([seed, ...seeds])
    for (let left = random.between(0, 4); left > 0; left -= 1) text = mutated(text, random)
    return IS_RIGHT.test(text) ? base() : text
  }
  return {
    next: () => Buffer.from(random.next() < 0.5 ? withCredential(base()) : base(), 'latin1'),
  }
}
