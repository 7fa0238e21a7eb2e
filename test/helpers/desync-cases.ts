/**
 * Byte sequences about which a proxy and the gateway could disagree where a request ends. Each holds
 * a first request, and a second one that is smuggled: in the content of the first, or right behind
 * it.
 */

export interface DesyncCase {
  readonly name: string
  /** The bytes. Every request in them that somebody may find says an id that begins with this one. */
  bytes(id: string): string
}

/** The second request. It asks for the close, so that a connection that answers it ends. */
const second = (id: string): string =>
  `GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: ${id}b\r\nConnection: close\r\n\r\n`

interface First {
  readonly method?: string
  readonly target?: string
  readonly version?: string
  readonly body?: string
}

const first = (
  id: string,
  lines: readonly string[],
  { method = 'POST', target = '/health/live', version = 'HTTP/1.1', body = '' }: First = {},
): string =>
  [
    `${method} ${target} ${version}`,
    'Host: 127.0.0.1',
    `X-Request-Id: ${id}a`,
    ...lines,
    '',
    body,
  ].join('\r\n')

const hex = (text: string): string => text.length.toString(16)
const asChunk = (text: string): string => `${hex(text)}\r\n${text}\r\n0\r\n\r\n`

/** `Transfer-Encoding` in spellings that one side may take for chunks and the other may not. */
const CODINGS: readonly string[] = [
  'Transfer-Encoding: chunked',
  'transfer-encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: CHUNKED',
  'Transfer-Encoding:chunked',
  'Transfer-Encoding:  chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: chunked ',
  'Transfer-Encoding: chunked\t',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  ' Transfer-Encoding: chunked',
  'Transfer-Encoding:\u000bchunked',
  'Transfer-Encoding:\u000cchunked',
  'Transfer-Encoding:\u0000chunked',
  'Transfer-Encoding: chunked\u0000',
  'Transfer-Encoding: \u00a0chunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding: \r\n\tchunked',
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: 'chunked'",
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunkedx',
  'Transfer-Encoding: chunk',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip',
  'Transfer-Encoding: ',
  'Transfer-Encoding: ,',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
  'Transfer_Encoding: chunked',
  'Transfer-Encoding\u0000: chunked',
  'X: x\nTransfer-Encoding: chunked',
  'X: x\rTransfer-Encoding: chunked',
  'TE: chunked',
]

const codingCases: readonly DesyncCase[] = CODINGS.flatMap((coding) => {
  const named = (how: string, bytes: (id: string) => string): DesyncCase => ({
    name: `${how} ${JSON.stringify(coding)}`,
    bytes,
  })
  return [
    named('the end of the chunks comes early, no length:', (id) =>
      first(id, [coding], { body: `0\r\n\r\n${second(id)}` }),
    ),
    named('the length covers everything, then', (id) => {
      const body = `0\r\n\r\n${second(id)}`
      return first(id, [`Content-Length: ${body.length}`, coding], { body })
    }),
    named('the length covers the size of the first chunk, after', (id) => {
      const body = asChunk(second(id))
      return first(id, [coding, `Content-Length: ${body.indexOf('\r\n') + 2}`], { body })
    }),
  ]
})

/** `Content-Length` in spellings that one side may read as another number than the other. */
const LENGTHS: readonly ((length: number) => string)[] = [
  (n) => `Content-Length: ${n}`,
  (n) => `content-length:${n}`,
  (n) => `Content-Length: 0${n}`,
  (n) => `Content-Length: +${n}`,
  (n) => `Content-Length: -${n}`,
  (n) => `Content-Length: 0x${n.toString(16)}`,
  (n) => `Content-Length: ${n}.0`,
  (n) => `Content-Length: ${n}e0`,
  (n) => `Content-Length: ${n} `,
  (n) => `Content-Length:\t${n}`,
  (n) => `Content-Length : ${n}`,
  (n) => ` Content-Length: ${n}`,
  (n) => `Content-Length: ${String(n).split('').join(' ')}`,
  (n) => `Content-Length: ${n}_0`,
  (n) => `Content-Length: "${n}"`,
  (n) => `Content-Length: ${n};q=1`,
  (n) => `Content-Length: ${n},${n}`,
  (n) => `Content-Length: ${n}, 0`,
  (n) => `Content-Length: 0, ${n}`,
  (n) => `Content-Length: ${n},`,
  (n) => `Content-Length: ,${n}`,
  (n) => `Content-Length: ${n}\r\nContent-Length: ${n}`,
  (n) => `Content-Length: ${n}\r\nContent-Length: 0`,
  (n) => `Content-Length: 0\r\nContent-Length: ${n}`,
  (n) => `Content-Length: 0\r\nContent_Length: ${n}`,
  (n) => `Content-Length:\r\n ${n}`,
  (n) => `Content-Length: ${n}\r\n 0`,
  (n) => `Content-Length: ${n}\u0000`,
  (n) => `Content-Length\u0000: ${n}`,
  (n) => `Content-Length: \u000b${n}`,
  (n) => `Content-Length: ${n}\u00a0`,
  () => 'Content-Length: ',
  () => 'Content-Length: x',
  (n) => `Content-Length: ${2n ** 32n + BigInt(n)}`,
  (n) => `Content-Length: ${2n ** 64n + BigInt(n)}`,
  (n) => `X: x\nContent-Length: ${n}`,
  (n) => `X: x\rContent-Length: ${n}`,
]

const lengthCases: readonly DesyncCase[] = LENGTHS.flatMap((length, index) => {
  const named = (how: string, bytes: (id: string) => string): DesyncCase => ({
    name: `${how}: ${JSON.stringify(length(7))} (${index})`,
    bytes,
  })
  return [
    named('the second request as content', (id) =>
      first(id, [length(second(id).length)], { body: second(id) }),
    ),
    named('the second request behind the content', (id) =>
      first(id, [length(2)], { body: `{}${second(id)}` }),
    ),
    named('the second request as the content of a GET', (id) =>
      first(id, [length(second(id).length)], { method: 'GET', body: second(id) }),
    ),
  ]
})

/** Contents in chunks that one side may cut elsewhere than the other, or refuse. */
const CHUNKS: readonly ((text: string) => string)[] = [
  (text) => asChunk(text),
  (text) => `0${hex(text)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text).toUpperCase()}\r\n${text}\r\n00\r\n\r\n`,
  (text) => `0x${hex(text)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `+${hex(text)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `-${hex(text)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => ` ${hex(text)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text)} \r\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text)}\t\r\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text)};a=b\r\n${text}\r\n0;c\r\n\r\n`,
  (text) => `${hex(text)};a="b\r\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text)};a=b\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text)} ; a = b\r\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text)};\u0000\r\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text)};${'a'.repeat(20_000)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `${hex(text)}\n${text}\n0\n\n`,
  (text) => `${hex(text)}\r${text}\r0\r\r`,
  (text) => `${hex(text)}\r\n${text}0\r\n\r\n`,
  (text) => `${hex(text)}\r\n${text}XX0\r\n\r\n`,
  (text) => `${hex(text)}\r\n${text}\n0\r\n\r\n`,
  (text) => `ffffffffffffffff${hex(text)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `10000000000000000${hex(text)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `1${hex(text).padStart(8, '0')}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `0000000000000000000000${hex(text)}\r\n${text}\r\n0\r\n\r\n`,
  (text) => `g\r\n${text}\r\n0\r\n\r\n`,
  (text) => `\r\n${text}\r\n0\r\n\r\n`,
  (text) => `0\r\n\r\n${text}`,
  (text) => `0\r\n${text}`,
  (text) => `0\r\nX-A: b\r\n\r\n${text}`,
  (text) => `0\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  (text) => `2\r\n{}\r\n0\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  (text) => `0\r\nTransfer-Encoding: chunked\r\n\r\n${asChunk(text)}`,
  (text) => `0\r\nHost: elsewhere\r\n\r\n${text}`,
  (text) => `0\n\n${text}`,
  (text) => `0\r\n\n${text}`,
  (text) => `0\r\r${text}`,
  (text) => `000\r\n\r\n${text}`,
  (text) => `0;a=b\r\n\r\n${text}`,
  (text) => `0 \r\n\r\n${text}`,
  (text) => `-0\r\n\r\n${text}`,
  (text) => `0x0\r\n\r\n${text}`,
]

const chunkCases: readonly DesyncCase[] = CHUNKS.flatMap((chunks, index) =>
  ['POST', 'GET'].map((method) => ({
    name: `chunks of a ${method}: ${JSON.stringify(chunks('…'))} (${index})`,
    bytes: (id: string) =>
      first(id, ['Transfer-Encoding: chunked'], { method, body: chunks(second(id)) }),
  })),
)

/** Requests that are unusual in another way, with the second one in or behind their content. */
const OTHERS: readonly (readonly [lines: readonly string[], how?: First])[] = [
  [[], { method: 'GET' }],
  [[], { method: 'DELETE' }],
  [[], { method: 'OPTIONS' }],
  [[], { method: 'PURGE' }],
  [[], { method: 'HEAD' }],
  [[], { method: 'TRACE' }],
  [[], { method: 'CONNECT', target: '127.0.0.1:80' }],
  [[], { target: 'http://127.0.0.1/health/live' }],
  [[], { target: 'http://elsewhere.test/health/live' }],
  [[], { target: '*', method: 'OPTIONS' }],
  [[], { target: '/health/live HTTP/1.1\r\nX: ' }],
  [[], { target: '/health/live\tx' }],
  [[], { version: 'HTTP/1.0' }],
  [['Connection: keep-alive'], { version: 'HTTP/1.0' }],
  [[], { version: 'HTTP/1.2' }],
  [[], { version: 'HTTP/2.0' }],
  [[], { version: 'http/1.1' }],
  [['Expect: 100-continue']],
  [['Expect: 100-continue'], { method: 'GET' }],
  [['Expect: wonders']],
  [['Connection: Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']],
  [['Connection: Upgrade', 'Upgrade: websocket'], { method: 'GET' }],
  [['Connection: Content-Length']],
  [['Connection: Transfer-Encoding']],
  [['Connection: close']],
  [['Connection: keep-alive, close']],
  [['Host: 127.0.0.1']],
  [['Host: elsewhere.test']],
  [['X-A: b\r\n c']],
  [['X-A: b\nX-C: d']],
  [['X-A: b\u0000']],
  [['X-A']],
  [[': b']],
  [['X-HTTP-Method-Override: GET']],
]

const otherCases: readonly DesyncCase[] = OTHERS.flatMap(([lines, how = {}], index) => {
  const name = `${index}: ${JSON.stringify([...Object.values(how), ...lines])}`
  return [
    {
      name: `a length, then the second request, ${name}`,
      bytes: (id: string) =>
        first(id, [...lines, 'Content-Length: 2'], { ...how, body: `{}${second(id)}` }),
    },
    {
      name: `chunks, then the second request, ${name}`,
      bytes: (id: string) =>
        first(id, [...lines, 'Transfer-Encoding: chunked'], {
          ...how,
          body: `${asChunk('{}')}${second(id)}`,
        }),
    },
    {
      name: `nothing, then the second request, ${name}`,
      bytes: (id: string) => first(id, lines, how) + second(id),
    },
  ]
})

/** Over 300 of them. */
export const DESYNC_CASES: readonly DesyncCase[] = [
  ...codingCases,
  ...lengthCases,
  ...chunkCases,
  ...otherCases,
]
