import { createBacklog } from './backlog.ts'
import type { Sink } from './descriptor.ts'

/** Owns standard output or standard error. Whatever happens to it costs lines, never service. */
export interface Output {
  /** Takes one line with its end. Loses and counts the line when too much waits already. */
  write(line: string): void
  /** Begins to write what waits, instead of at the next whole batch or second. */
  flush(): void
  /** Writes at once what fits. For a process that ends now. */
  flushNow(): void
  /** Writes what waits. Gives up after `END_MS`, and at once when nothing can be written. */
  end(): Promise<void>
  /** Has `tell` called with the number of lost lines each time when writing works again. */
  onLost(tell: (lines: number) => void): void
  /** How many lines were lost since the start, also those that are not told yet. */
  lostLines(): number
  /** Which part of the room for waiting lines is used, 0 to 1. */
  usedPart(): number
}

/**
 * How much may wait, bytes. These are some 16 000 lines, which is half a second at the highest rate
 * that the gateway serves.
 */
const MAX_BYTES = 4 * 1024 * 1024
/**
 * Lines are written every second or every 60 KiB. A write for each line would cost more than a
 * cached answer. With the line that makes it full, a batch still fits into an empty pipe, which takes 64 KiB.
 */
const FLUSH_MS = 1_000
const BATCH_BYTES = 60 * 1024
/** A full pipe is tried again soon, because its reader may only be slow. Milliseconds. */
const FULL_MS = { first: 5, longest: 100 } as const
/** How soon a full disk, a pipe without a reader and a lost terminal are tried again, milliseconds. */
const BROKEN_MS = 1_000
/** How long the end of the process waits for a slow reader, milliseconds. */
const END_MS = 500

const delay = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms))

export const createOutput = (sink: Sink, maxBytes = MAX_BYTES): Output => {
  const backlog = createBacklog(maxBytes, BATCH_BYTES)
  let tellLost = (_lines: number): void => {}
  /** Runs until the next attempt, or the next write when nothing has failed. */
  let timer: NodeJS.Timeout | undefined
  /** The code of the error that ended the last attempt. */
  let fault: string | undefined
  let fullMs: number = FULL_MS.first
  let isWriting = false
  let attempt: Promise<void> = Promise.resolve()

  const later = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(writeRest, ms).unref()
  }

  const noteWritten = (bytes: number): void => {
    backlog.written(bytes)
    fullMs = FULL_MS.first
    const lines = backlog.takeLost()
    if (lines > 0) tellLost(lines)
  }

  const noteFault = (error: unknown): void => {
    fault = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    if (fault === 'EPIPE') backlog.dropHalfLine()
    later(fault === 'EAGAIN' ? fullMs : BROKEN_MS)
    fullMs = Math.min(2 * fullMs, FULL_MS.longest)
  }

  const writeAll = async (): Promise<void> => {
    isWriting = true
    clearTimeout(timer)
    timer = undefined
    fault = undefined
    try {
      for (let chunk = backlog.next(); chunk !== undefined; chunk = backlog.next()) {
        noteWritten(await sink.write(chunk))
      }
    } catch (error) {
      noteFault(error)
    }
    isWriting = false
    // Lines have come meanwhile. Under load there always are some, and each write costs the same, however
    // little it writes. So they wait for a batch or a second of their own.
    if (fault === undefined && !backlog.isEmpty) later(FLUSH_MS)
  }

  const write = (): Promise<void> => {
    if (!isWriting) attempt = writeAll()
    return attempt
  }

  const writeRest = (): Promise<void> => {
    backlog.wantRest()
    return write()
  }

  return {
    write: (line) => {
      backlog.add(line)
      if (isWriting || fault !== undefined) return
      if (backlog.isBatch) void write()
      else if (timer === undefined) later(FLUSH_MS)
    },
    flush: () => {
      if (fault === undefined) void writeRest()
    },
    flushNow: () => {
      // The bytes of a write that a thread has begun would be written twice.
      if (isWriting) return
      backlog.wantRest()
      try {
        for (let chunk = backlog.next(); chunk !== undefined; chunk = backlog.next()) {
          noteWritten(sink.writeNow(chunk))
        }
      } catch (error) {
        noteFault(error)
      }
    },
    end: async () => {
      const deadline = performance.now() + END_MS
      const mayPass = (): boolean => fault === undefined || fault === 'EAGAIN'
      const writeLast = async (): Promise<void> => {
        await writeRest()
        while (!backlog.isEmpty && mayPass() && performance.now() < deadline) {
          await delay(FULL_MS.first)
          await writeRest()
        }
      }
      await Promise.race([writeLast(), delay(END_MS)])
    },
    onLost: (tell) => {
      tellLost = tell
    },
    lostLines: backlog.lostInAll,
    usedPart: backlog.usedPart,
  }
}
