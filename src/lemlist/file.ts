import type { Dispatcher } from 'undici'
import type { FileAnswer } from '../exports/ports.ts'
import { essence, invalid, refusalOf } from './refusals.ts'

/** Of an answer that is no file, so much is read to learn why. */
const MAX_REFUSAL_BYTES = 16 * 1024

type Answer = Dispatcher.ResponseData

const single = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

const lengthOf = ({ headers }: Answer): number | undefined => {
  const length = single(headers['content-length'])
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/** A page in place of a file, or JSON: lemlist answers unknown paths with 200 and HTML. */
const isFile = ({ headers }: Answer): boolean => {
  const encoding = single(headers['content-encoding']) ?? 'identity'
  const type = essence(headers['content-type'])
  return (
    encoding === 'identity' && !/^(text\/html|application\/(xhtml\+xml|json))$/.test(type ?? '')
  )
}

/** The file as it comes, once it is clear that it is one. @throws Problem; the rest of the body is dropped */
export const fileFrom = async (answer: Answer): Promise<FileAnswer> => {
  const { statusCode: status, headers, body } = answer
  try {
    if (status !== 200 && status !== 206 && status !== 416) {
      throw refusalOf({ status, headers, body: await beginning(answer) })
    }
    const length = lengthOf(answer)
    if (status !== 416 && !isFile(answer)) throw invalid('not a file by its type')
    const framed = length !== undefined || headers['transfer-encoding'] !== undefined
    return { status, length, framed, range: single(headers['content-range']), body }
  } catch (error) {
    body.on('error', () => {}).destroy()
    throw error
  }
}

const beginning = async ({ body }: Answer): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size > MAX_REFUSAL_BYTES) break
  }
  return Buffer.concat(chunks)
}
