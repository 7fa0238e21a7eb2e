import { performance } from 'node:perf_hooks'
import { pipeline, Transform } from 'node:stream'
import { Problem } from '../problems.ts'
import { type ExportRef, isPending, type Snapshot } from './export.ts'
import { fileNameOf } from './file-name.ts'
import { type PollIntervals, watchedIntervalMs } from './poll-policy.ts'
import type { FileAnswer, Upstream } from './ports.ts'
import type { Reader, Reading } from './reader.ts'

/** The CSV of an export that is done. */
export interface Files {
  /**
   * @param range one `bytes=` range, as the caller sent it
   * @param signal aborts the call to lemlist
   * @throws Problem
   */
  open(ref: ExportRef, range: string | undefined, signal: AbortSignal): Promise<FileAnswer>
}

interface FilesOptions {
  readonly reader: Pick<Reader, 'peek' | 'read'>
  readonly upstream: Pick<Upstream, 'file'>
  readonly intervals: PollIntervals
  /** Base URLs below which lemlist has its files. */
  readonly bases: readonly string[]
  readonly patienceMs: number
  /** Downloads at once: as many as there are sockets for them. */
  readonly maxOpen: number
  /** Epoch milliseconds. */
  readonly now?: () => number
}

/** Twice what has ever been tried; a longer file is refused before a byte of it is passed on, if lemlist tells. */
const MAX_FILE_BYTES = 1024 ** 3

export const createFiles = (options: FilesOptions): Files => {
  const { reader, upstream, intervals, bases, patienceMs, maxOpen } = options
  const now = options.now ?? Date.now
  let open = 0

  const requireDone = ({ snapshot, firstSeenAt }: Reading): void => {
    if (snapshot.state === 'done') return
    if (snapshot.state === 'error') {
      throw new Problem('export-failed', 'The export ended in an error: there is no file.')
    }
    const ageMs = now() - firstSeenAt
    const retryAfterMs = isPending(snapshot) ? watchedIntervalMs(ageMs, intervals) : 60_000
    throw new Problem('export-not-ready', 'The export is not done yet.', { retryAfterMs })
  }

  const call = async (name: string, range: string | undefined, signal: AbortSignal) => {
    const due = performance.now()
    try {
      return await upstream.file(name, { range, signal, turn: { due, giveUpAt: due + patienceMs } })
    } catch (error) {
      // lemlist says that it is done and has no file: its 24 h are over, whatever our clock says.
      const isGone = error instanceof Problem && error.options.upstreamStatus === 404
      throw isGone ? expired(error) : error
    }
  }

  return {
    open: async (ref, range, signal) => {
      const reading = reader.peek(ref) ?? (await reader.read(ref))
      requireDone(reading)
      const { url, fileSize } = fileOf(reading.snapshot)
      const name = fileNameOf(url, bases)
      if (name === undefined) {
        throw new Problem('upstream-invalid', 'lemlist names no file that could be fetched.')
      }
      if (open >= maxOpen) {
        throw new Problem('overloaded', 'As many downloads run as this gateway makes at once.', {
          retryAfterMs: 10_000,
        })
      }
      open += 1
      try {
        const answer = await call(name, range, signal)
        if (answer.length !== undefined && answer.length > MAX_FILE_BYTES) {
          answer.body.on('error', () => {}).destroy()
          throw new Problem('upstream-invalid', 'The file is over 1 GiB.')
        }
        answer.body.once('close', () => {
          open -= 1
        })
        return answer.length === undefined ? bounded(answer, fileSize) : answer
      } catch (error) {
        open -= 1
        throw error
      }
    },
  }
}

/** What a status says of its file; of whatever type it came. */
const fileOf = ({ body }: Snapshot): { url: unknown; fileSize: unknown } => {
  // The body was checked when it came: an object with an object `status`.
  const { status } = JSON.parse(Buffer.from(body).toString()) as { status: Record<string, unknown> }
  return { url: status.url, fileSize: status.fileSize }
}

/**
 * A body of unknown length, cut at the cap. Where lemlist marks no end, one that is shorter than the
 * status said broke off, and must not look complete.
 */
const bounded = (answer: FileAnswer, fileSize: unknown): FileAnswer => {
  const least =
    !answer.framed && answer.status === 200 && typeof fileSize === 'number' ? fileSize : 0
  let size = 0
  const counter = new Transform({
    transform: (chunk: Uint8Array, _encoding, done) => {
      size += chunk.byteLength
      done(size > MAX_FILE_BYTES ? new Error('the file is over 1 GiB') : null, chunk)
    },
    flush: (done) => done(size < least ? new Error('the file broke off') : null),
  })
  // Either side's end ends the other; the caller sees an error of the counter.
  pipeline(answer.body, counter, () => {})
  return { ...answer, body: counter }
}

const expired = (cause: unknown): Problem =>
  new Problem('export-expired', 'lemlist has no file of this export any more.', { cause })
