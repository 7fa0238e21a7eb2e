import { performance } from 'node:perf_hooks'
import { finished, pipeline, Transform } from 'node:stream'
import { Problem } from '../../problems.ts'
import { type Bounds, UNMEASURED } from '../bounds.ts'
import { type ExportRef, isPending, type Snapshot } from '../export.ts'
import { type PollIntervals, watchedIntervalMs } from '../following/poll-policy.ts'
import type { FileAnswer, Upstream } from '../ports.ts'
import type { Reader, Reading } from '../reading/reader.ts'
import { fileNameOf } from './file-name.ts'

/** Opens the CSV file of an export that is done. */
export interface Files {
  /**
   * @param range one `bytes=` range, as the caller sent it
   * @param signal aborts the call to lemlist
   * @param callerId looks at ids that nobody has seen before are counted for each caller
   * @throws Problem
   */
  open(
    ref: ExportRef,
    range: string | undefined,
    signal: AbortSignal,
    callerId?: string,
  ): Promise<FileAnswer>
}

interface FilesOptions {
  readonly reader: Pick<Reader, 'peek' | 'read'>
  readonly upstream: Pick<Upstream, 'file'>
  readonly intervals: PollIntervals
  /** Base URLs below which lemlist keeps its files. */
  readonly bases: readonly string[]
  readonly patienceMs: number
  /** How many downloads may run at once: one for each socket of the file pool. */
  readonly maxOpen: number
  readonly bounds?: Bounds | undefined
  /** The longest file that the gateway passes on. Default 1 GiB: twice the largest file tested. */
  readonly maxBytes?: number
  /** Epoch milliseconds. */
  readonly now?: () => number
}

const MAX_BYTES = 1024 ** 3

export const createFiles = (options: FilesOptions): Files => {
  const { reader, upstream, intervals, bases, patienceMs, maxOpen, bounds = UNMEASURED } = options
  const { maxBytes = MAX_BYTES, now = Date.now } = options
  let open = 0
  bounds('downloads', () => open / maxOpen)

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
      const turn = { due, giveUpAt: due + patienceMs, callClass: 'watched' } as const
      return await upstream.file(name, { range, signal, turn })
    } catch (error) {
      // lemlist says that the export is done, but has no file. So the file's 24 h are over,
      // whatever the clock of the gateway says.
      const isGone = error instanceof Problem && error.options.upstreamStatus === 404
      throw isGone ? expired(error) : error
    }
  }

  return {
    open: async (ref, range, signal, callerId) => {
      const reading = reader.peek(ref) ?? (await reader.read(ref, { callerId }))
      requireDone(reading)
      const { url, fileSize } = fileOf(reading.snapshot)
      const name = fileNameOf(url, bases)
      if (name === undefined) {
        throw new Problem(
          'upstream-invalid',
          'The status from lemlist names no file that can be fetched.',
        )
      }
      if (open >= maxOpen) {
        throw new Problem(
          'overloaded',
          'The gateway already runs as many downloads as it allows.',
          {
            retryAfterMs: 10_000,
          },
        )
      }
      open += 1
      const done = () => {
        open -= 1
      }
      const answer = await call(name, range, signal).catch((error) => {
        done()
        throw error
      })
      // `finished` calls `done` however the body ends, also when it has already ended.
      finished(answer.body, done)
      if (answer.length === undefined)
        return bounded(answer, leastBytes(answer, fileSize), maxBytes)
      if (answer.length <= maxBytes) return answer
      answer.body.destroy()
      throw new Problem('upstream-invalid', 'The file is longer than this gateway passes on.')
    },
  }
}

/** Returns what a status says about its file. lemlist may send values of any type. */
const fileOf = ({ body }: Snapshot): { url: unknown; fileSize: unknown } => {
  // The lemlist client has checked that the body is an object with an object `status`.
  const { status } = JSON.parse(Buffer.from(body).toString()) as { status: Record<string, unknown> }
  return { url: status.url, fileSize: status.fileSize }
}

/**
 * Returns the fewest bytes that a complete body has. When lemlist does not mark the end of the
 * body, a broken connection looks like the end. The size in the status, or the range of a 206, then
 * shows whether bytes are missing.
 */
const leastBytes = ({ framed, status, range = '' }: FileAnswer, fileSize: unknown): number => {
  if (framed || status === 416) return 0
  if (status === 200) return typeof fileSize === 'number' ? fileSize : 0
  const [, first, last] = /^bytes (\d+)-(\d+)/.exec(range) ?? []
  return Number(last) - Number(first) + 1
}

/**
 * Passes on a body of unknown length. It fails when the body has more than `most` bytes or fewer
 * than `least`, so that an incomplete file never looks complete.
 */
const bounded = (answer: FileAnswer, least: number, most: number): FileAnswer => {
  let size = 0
  const counter = new Transform({
    transform: (chunk: Uint8Array, _encoding, done) => {
      size += chunk.byteLength
      done(size > most ? new Error('the file is over the cap') : null, chunk)
    },
    flush: (done) => done(size < least ? new Error('the file broke off') : null),
  })
  // When one stream fails, `pipeline` ends the other. The caller sees the error on `counter`.
  pipeline(answer.body, counter, () => {})
  return { ...answer, body: counter }
}

const expired = (cause: unknown): Problem =>
  new Problem('export-expired', 'lemlist has no file of this export any more.', { cause })
