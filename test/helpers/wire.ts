import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** HTTP as bytes on a socket: a test can send what no client library sends, and sees every byte. */

export interface WireAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  /** The bytes after the body. They are a second answer, or a bug. */
  readonly rest: string
}

interface ExchangeOptions {
  /** Whether the client closes its sending side after the bytes. The server then stops waiting. */
  readonly thenEnd?: boolean
  readonly deadlineMs?: number
  /** Called with the error's code at a reset. A reset does not make `exchange` fail. */
  readonly onError?: (code: string) => void
}

/**
 * Sends the bytes and reads until the server closes the connection. The request must ask for that
 * close.
 * @throws when the connection is still open at the deadline
 */
export const exchange = async (
  url: string,
  bytes: string | Uint8Array,
  { thenEnd = false, deadlineMs = 8_000, onError = () => {} }: ExchangeOptions = {},
): Promise<string> => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A reset ends the exchange as a close does. The bytes before it are returned.
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

/** The first answer in what a server sent, without 1xx answers. `undefined`: it sent nothing. */
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

/** Sends the bytes and reads one answer. */
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

/** A request that asks the server to close the connection. The target is sent exactly as it is. */
export const rawRequest = (
  target: string,
  { method = 'GET', headers = ['Host: 127.0.0.1'] as readonly string[], body = '' } = {},
): string =>
  [`${method} ${target} HTTP/1.1`, ...headers, 'Connection: close', '', body].join('\r\n')

/** The request ids of all answers in what a server sent. */
export const idsIn = (text: string): readonly string[] =>
  [...text.matchAll(/^x-request-id: *(\S+)\r$/gim)].map(([, id = '']) => id)
