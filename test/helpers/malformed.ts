/** Bytes that are not correct HTTP, or not correct for the gateway. */

export const HOST = 'Host: 127.0.0.1'
const STATUS = '/campaigns/cam_A1B2C3/export/axp_D4E5F6/status'
export const LIVE = '/health/live'

export const lines = (...all: readonly string[]): string => `${all.join('\r\n')}\r\n\r\n`
const get = (...headers: readonly string[]): string =>
  lines(`GET ${STATUS} HTTP/1.1`, ...headers, 'Connection: close')
const post = (...headers: readonly string[]): string =>
  lines(`POST ${STATUS} HTTP/1.1`, ...headers, 'Connection: close')

export const NOT_HTTP: Readonly<Record<string, string | Uint8Array>> = {
  'a method in lower case': lines(`get ${STATUS} HTTP/1.1`, HOST),
  'a method that nobody has': lines(`FETCH ${STATUS} HTTP/1.1`, HOST),
  'a method with a space': lines(`G ET ${STATUS} HTTP/1.1`, HOST),
  'an empty method': lines(` ${STATUS} HTTP/1.1`, HOST),
  'no target': lines('GET HTTP/1.1', HOST),
  'a target with a space': lines('GET /a b HTTP/1.1', HOST),
  'a target with a tab': lines('GET /a\tb HTTP/1.1', HOST),
  'a target with a zero byte': lines('GET /a\0b HTTP/1.1', HOST),
  'a target of raw UTF-8': lines('GET /campaigns/cam_\u00c3\u00a9 HTTP/1.1', HOST),
  'a target without a slash': lines('GET status HTTP/1.1', HOST),
  'no version but a Host': lines(`GET ${STATUS}`, HOST),
  'HTTP/0.9': lines(`GET ${STATUS}`),
  'HTTP/1.2': lines(`GET ${STATUS} HTTP/1.2`, HOST),
  'HTTP/2.0 spoken as text': lines(`GET ${STATUS} HTTP/2.0`, HOST, 'Connection: close'),
  'HTTP/3': lines(`GET ${STATUS} HTTP/3`, HOST),
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'another protocol': lines(`GET ${STATUS} SPDY/1.1`, HOST),
  'an answer': lines('HTTP/1.1 200 OK', 'Content-Length: 0'),
  'a TLS hello': Buffer.from('160301008f0100008b0303', 'hex'),
  'an SSH hello': 'SSH-2.0-OpenSSH_9.2\r\n',
  'a SOCKS hello': Buffer.from('050100', 'hex'),
  'a Redis command': '*1\r\n$4\r\nPING\r\n',
  'random bytes': Buffer.from('00ff17fe80c302a90d0a0d0a', 'hex'),
  'zero bytes': Buffer.alloc(64),
  'line ends of LF alone': `GET ${STATUS} HTTP/1.1\n${HOST}\n\n`,
  'line ends of CR alone': `GET ${STATUS} HTTP/1.1\r${HOST}\r\r`,
  'one header that ends in LF': `GET ${STATUS} HTTP/1.1\r\n${HOST}\nX-A: b\r\n\r\n`,
  'a folded header': get(HOST, 'X-A: b', ' c'),
  'a first header that is folded': lines(`GET ${STATUS} HTTP/1.1`, ' X-A: b', HOST),
  'a space before the colon': get('Host : 127.0.0.1'),
  'a header without a colon': get(HOST, 'X-A'),
  'a header without a name': get(HOST, ': b'),
  'a header name with a space': get(HOST, 'X A: b'),
  'a header name with a control': get(HOST, 'X\u0001A: b'),
  'a header value with a zero byte': get(HOST, 'X-A: b\0c'),
  'a header value with a CR': get(HOST, 'X-A: b\rX-C: d'),
  'a length and chunks': post(HOST, 'Content-Length: 5', 'Transfer-Encoding: chunked'),
  'chunks and a length': post(HOST, 'Transfer-Encoding: chunked', 'Content-Length: 5'),
  'two lengths': post(HOST, 'Content-Length: 0', 'Content-Length: 5'),
  'two equal lengths': post(HOST, 'Content-Length: 0', 'Content-Length: 0'),
  'a list of lengths': post(HOST, 'Content-Length: 0, 5'),
  'a negative length': post(HOST, 'Content-Length: -1'),
  'a length with a sign': post(HOST, 'Content-Length: +0'),
  'a length in hexadecimal': post(HOST, 'Content-Length: 0x5'),
  'a length beyond 64 bits': post(HOST, 'Content-Length: 99999999999999999999'),
  'an empty length': post(HOST, 'Content-Length: '),
  'chunks that are not last': post(HOST, 'Transfer-Encoding: chunked, identity'),
}

/** Requests that Node's parser accepts, so that only the guard can refuse them. */
export const REFUSED: Readonly<Record<string, string>> = {
  'no Host': get(),
  'a body on a GET': `${get(HOST, 'Content-Length: 5')}hello`,
  'chunks on a GET': `${get(HOST, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
  'a body on a GET that never comes': get(HOST, 'Content-Length: 5'),
  'a body on a GET over the limit': `${get(HOST, 'Content-Length: 20000')}${'a'.repeat(20_000)}`,
  'a smuggled second request': `${get(HOST, 'Content-Length: 40')}${get(HOST)}`,
}

const BODY = [HOST, 'Content-Type: application/json']
export const chunked = (chunks: string): string =>
  `${post(...BODY, 'Transfer-Encoding: chunked')}${chunks}`

/** These begin well, so that a route already handles them when the rest proves to be wrong. */
export const BROKEN_BODIES: Readonly<Record<string, string>> = {
  'a chunk without a size': chunked('x\r\n'),
  'a chunk of a negative size': chunked('-1\r\n'),
  'a chunk size beyond 64 bits': chunked('fffffffffffffffff\r\n'),
  'a chunk longer than it says': chunked('1\r\nab\r\n0\r\n\r\n'),
  'a chunk that ends early': chunked('5\r\nab'),
  'a body that ends early': `${post(...BODY, 'Content-Length: 5')}ab`,
  'a coding that only looks like chunks': post(...BODY, 'Transfer-Encoding: xchunked'),
}
