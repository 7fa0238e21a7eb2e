import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** HTTP as bytes on a socket: what no client library would send, and all that comes back. */

export interface WireAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  /** Whatever follows the body: another answer, or a bug. */
  readonly rest: string
}

interface ExchangeOptions {
  /** Whether the sending side is closed behind the bytes, so that the server waits for no more. */
  readonly thenEnd?: boolean
  readonly deadlineMs?: number
  /** Told the code of a reset, which is an end like any other. */
  readonly onError?: (code: string) => void
}

/** Sends the bytes and reads until the server closes the connection; it has to, so ask for it. */
export const exchange = async (
  url: string,
  bytes: string | Uint8Array,
  { thenEnd = false, deadlineMs = 8_000, onError = () => {} }: ExchangeOptions = {},
): Promise<string> => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A reset is an end like any other: what was read before it counts.
  socket.on('error', (error) => onError('code' in error ? String(error.code) : error.message))
  socket.write(bytes)
  if (thenEnd) socket.end()
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const timeUp = new AbortController()
  const late = delay(deadlineMs, 'late' as const, { signal: timeUp.signal, ref: false })
  const first = await Promise.race([closed, late.catch(() => undefined)])
  timeUp.abort()
  const text = Buffer.concat(chunks).toString('latin1')
  if (first !== 'late') return text
  socket.destroy()
  throw new Error(`still open after ${deadlineMs} ms, having said ${JSON.stringify(text)}`)
}

/** The first answer in what a server said, interim ones left out. `undefined`: it said nothing. */
export const readAnswer = (text: string, method = 'GET'): WireAnswer | undefined => {
  if (text === '') return undefined
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const [, digits] = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine) ?? []
  if (end === -1 || digits === undefined) throw new Error(`not an answer: ${JSON.stringify(text)}`)
  if (digits.startsWith('1')) return readAnswer(text.slice(end + 4), method)
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  const after = text.slice(end + 4)
  const length = method === 'HEAD' ? 0 : Number(headers.get('content-length') ?? after.length)
  const body = Buffer.from(after.slice(0, length), 'latin1').toString()
  return { status: Number(digits), headers, body, rest: after.slice(length) }
}

/** Sends the bytes and reads the one answer to them. */
export const ask = async (
  url: string,
  bytes: string | Uint8Array,
  options?: ExchangeOptions,
): Promise<WireAnswer> => {
  const text = await exchange(url, bytes, options)
  const method = Buffer.from(bytes).toString('latin1').split(' ', 1)[0]
  const answer = readAnswer(text, method)
  if (answer === undefined) throw new Error('closed without an answer')
  return answer
}

/** A request that asks for the connection to be closed; the target goes out as it is. */
export const rawRequest = (
  target: string,
  { method = 'GET', headers = ['Host: 127.0.0.1'] as readonly string[], body = '' } = {},
): string =>
  [`${method} ${target} HTTP/1.1`, ...headers, 'Connection: close', '', body].join('\r\n')
