import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { FileAnswer } from '../exports/ports.ts'
import { toProblem } from './failures.ts'
import { essence, invalid, refusalOf } from './refusals.ts'

/** Of an answer that is no file, so much is read to learn why. */
const MAX_REFUSAL_BYTES = 16 * 1024

/** What lemlist's links begin with, also where a proxy stands between it and the gateway. */
const LEMLIST_BASE = 'https://api.lemlist.com/api'

/** The base URLs below which a link of lemlist's may name a file, without a trailing slash. */
export const fileBases = (baseUrl: URL): readonly string[] => [
  baseUrl.href.replace(/\/$/, ''),
  LEMLIST_BASE,
]

type Answer = Dispatcher.ResponseData

interface Asked {
  readonly range: string | undefined
  /** Deadline of an answer that is no file, milliseconds from its head. */
  readonly timeoutMs: number
}

const single = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

const lengthOf = ({ headers }: Answer): number | undefined => {
  const length = single(headers['content-length'])
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/** A page in place of a file, or JSON: lemlist answers unknown paths with 200 and HTML. */
const isFile = ({ headers }: Answer): boolean => {
  const encoding = headers['content-encoding'] ?? 'identity'
  const type = essence(headers['content-type'])
  return (
    encoding === 'identity' && !/^(text\/html|application\/(xhtml\+xml|json))$/.test(type ?? '')
  )
}

const PART = /^bytes \d{1,15}-\d{1,15}\/(\d{1,15}|\*)$/
const NO_PART = /^bytes \*\/\d{1,15}$/

/** The file as it comes, once it is clear that it is one. @throws Problem; the rest of the body is dropped */
export const fileFrom = async (answer: Answer, asked: Asked): Promise<FileAnswer> => {
  const { headers, body } = answer
  // It may break at any moment, also while nobody looks; whoever reads it sees that it did.
  body.on('error', () => {})
  try {
    const status = await statusOf(answer, asked)
    const range = single(headers['content-range'])
    if (status !== 200 && (asked.range === undefined || !isRange(status, range))) {
      throw invalid('a range that nobody asked for, or none that could be told')
    }
    if (status !== 416 && !isFile(answer)) throw invalid('not a file by its type')
    const length = lengthOf(answer)
    const framed = length !== undefined || headers['transfer-encoding'] !== undefined
    return { status, length, framed, range: status === 200 ? undefined : range, body }
  } catch (error) {
    body.destroy()
    throw error
  }
}

const isRange = (status: 206 | 416, range = ''): boolean =>
  // What is asked for past the end may come without the size (RFC 9110, 15.5.17).
  status === 206 ? PART.test(range) : range === '' || NO_PART.test(range)

const statusOf = async (answer: Answer, asked: Asked): Promise<FileAnswer['status']> => {
  const { statusCode, headers } = answer
  if (statusCode === 200 || statusCode === 206 || statusCode === 416) return statusCode
  // Gone is not found, in another word.
  const status = statusCode === 410 ? 404 : statusCode
  const isTold = status === 400 || status === 404
  throw refusalOf({ status, headers, body: isTold ? await beginning(answer, asked) : NOTHING })
}

const NOTHING = new Uint8Array()

const beginning = async ({ body }: Answer, { timeoutMs }: Asked): Promise<Uint8Array> => {
  const late = new DOMException('no end of the refusal', 'TimeoutError')
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
    // One without bytes ends, and never becomes readable.
    body.once('readable', resolve).once('end', resolve).once('error', reject)
  })

/** Waits for its first bytes: a file that breaks off before them can still be a problem. @throws Problem */
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
