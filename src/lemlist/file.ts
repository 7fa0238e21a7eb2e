import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { FileAnswer } from '../exports/ports.ts'
import { toProblem } from './failures.ts'
import { essence, invalid, refusalOf } from './refusals.ts'

/** When the answer is no file, at most this much of its body is read to learn the reason. */
const MAX_REFUSAL_BYTES = 16 * 1024

/** lemlist's links begin with this, even when `LEMLIST_BASE_URL` is a proxy in front of lemlist. */
const LEMLIST_BASE = 'https://api.lemlist.com/api'

/** The base URLs below which a link of lemlist may name a file, without a trailing slash. */
export const fileBases = (baseUrl: URL): readonly string[] => [
  baseUrl.href.replace(/\/$/, ''),
  LEMLIST_BASE,
]

type Answer = Dispatcher.ResponseData

interface Asked {
  readonly range: string | undefined
  /** How long the body of an answer that is no file may take, milliseconds from its head. */
  readonly timeoutMs: number
}

const single = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

const lengthOf = ({ headers }: Answer): number | undefined => {
  const length = single(headers['content-length'])
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/**
 * Whether an answer can be a file. An encoded body, HTML or JSON cannot: lemlist answers unknown
 * paths with 200 and HTML.
 */
const isFile = ({ headers }: Answer): boolean => {
  const encoding = headers['content-encoding'] ?? 'identity'
  const type = essence(headers['content-type'])
  return (
    encoding === 'identity' && !/^(text\/html|application\/(xhtml\+xml|json))$/.test(type ?? '')
  )
}

const saysRanges = ({ headers }: Answer): boolean =>
  /(?:^|,)\s*bytes\s*(?:,|$)/i.test([headers['accept-ranges'] ?? ''].flat().join())

const PART = /^bytes \d{1,15}-\d{1,15}\/(\d{1,15}|\*)$/
const NO_PART = /^bytes \*\/\d{1,15}$/

/**
 * Returns the file in an answer, after checking that the answer is one.
 *
 * @throws Problem when the answer is no file; its body is then destroyed
 */
export const fileFrom = async (answer: Answer, asked: Asked): Promise<FileAnswer> => {
  const { headers, body } = answer
  // The body may break off at any moment, even while nobody reads it. Without a listener the error
  // would end the process. Whoever reads the body sees the error, too.
  body.on('error', () => {})
  try {
    const status = await statusOf(answer, asked)
    const range = single(headers['content-range'])
    if (status !== 200 && (asked.range === undefined || !isRange(status, range))) {
      throw invalid('the range was not asked for, or its Content-Range is missing or malformed')
    }
    if (status !== 416 && !isFile(answer)) throw invalid('not a file by type or encoding')
    const length = lengthOf(answer)
    const framed = length !== undefined || headers['transfer-encoding'] !== undefined
    const servesRanges = status !== 200 || saysRanges(answer)
    return { status, length, framed, range: status === 200 ? undefined : range, servesRanges, body }
  } catch (error) {
    body.destroy()
    throw error
  }
}

const isRange = (status: 206 | 416, range = ''): boolean =>
  // An answer of 416 may leave out the size of the file (RFC 9110, 15.5.17).
  status === 206 ? PART.test(range) : range === '' || NO_PART.test(range)

const statusOf = async (answer: Answer, asked: Asked): Promise<FileAnswer['status']> => {
  const { statusCode, headers } = answer
  if (statusCode === 200 || statusCode === 206 || statusCode === 416) return statusCode
  // A 410 says the same as a 404: there is no such file any more.
  const status = statusCode === 410 ? 404 : statusCode
  const isTold = status === 400 || status === 404
  throw refusalOf({ status, headers, body: isTold ? await beginning(answer, asked) : NOTHING })
}

const NOTHING = new Uint8Array()

const beginning = async ({ body }: Answer, { timeoutMs }: Asked): Promise<Uint8Array> => {
  const late = new DOMException('the refusal did not end in time', 'TimeoutError')
  const timer = setTimeout(() => body.destroy(late), timeoutMs)
  try {
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk)
      size += chunk.byteLength
      if (size > MAX_REFUSAL_BYTES) break
    }
    return Buffer.concat(chunks)
  } finally {
    clearTimeout(timer)
  }
}

const begun = (body: Readable): Promise<void> =>
  new Promise((resolve, reject) => {
    // A body without bytes ends and never becomes readable.
    body.once('readable', resolve).once('end', resolve).once('error', reject)
  })

/**
 * Waits for the first bytes of a file. The answer to the caller has not begun by then, so a file
 * that breaks off before its first bytes can still be told as a problem.
 *
 * @throws Problem
 */
export const whenItComes = async (answer: FileAnswer): Promise<FileAnswer> => {
  const { body } = answer
  try {
    if (body.errored === null) await begun(body)
    if (body.errored !== null) throw body.errored
    return answer
  } catch (error) {
    body.destroy()
    throw toProblem(error)
  }
}
