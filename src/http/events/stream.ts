import type { ServerResponse } from 'node:http'
import { type ExportRef, keyOf, type Snapshot } from '../../exports/export.ts'
import { isOver, type Subscriber, type Topic, type Word } from '../../exports/watching/hub.ts'
import type { Frames } from './frames.ts'
import { COMMENT, encodeRetry, spread } from './sse.ts'

/** How a stream ended, for the log and the counts. */
export type Ending = 'complete' | 'left' | 'slow' | 'rotated' | 'drained' | 'refused'

interface EventStreamOptions {
  readonly frames: Frames
  /** What it tells of. */
  readonly refs: readonly ExportRef[]
  /** Of its own, beside those of every stream. */
  readonly headers: Readonly<Record<string, string>>
  /** Monotonic milliseconds. */
  readonly expiresAt: number
  /** Lets go of the topics; called once. */
  readonly onClose: (ending: Ending) => void
}

/** One export on a stream: what is known and what was told of it. */
interface Line {
  topic: Topic
  toldSnapshot: Snapshot | undefined
  toldWord: Word | undefined
}

export const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
} as const

/** Of what is newest, so much is put into one write; a client that reads has it at once. */
const WRITE_BYTES = 32 * 1024
const RETRY_MS = { min: 2_000, max: 5_000 }

/**
 * One `text/event-stream` response. It writes one piece at a time and, while that is on its way, keeps
 * only references to the newest status of each export: a client that does not read costs one write's
 * bytes, however much happens. How it ends says why: a clean end is final, an abrupt one makes every
 * client library come back.
 */
export class EventStream implements Subscriber {
  readonly expiresAt: number
  readonly #response: ServerResponse
  readonly #frames: Frames
  readonly #headers: Readonly<Record<string, string>>
  readonly #onClose: (ending: Ending) => void
  readonly #lines = new Map<string, Line>()
  readonly #fresh = new Set<Line>()
  /** Monotonic ms of the write that is on its way; undefined when none is. */
  #writingSince: number | undefined
  #live = false
  #released = false
  #ending: Ending | undefined

  constructor(response: ServerResponse, options: EventStreamOptions) {
    this.#response = response
    this.#frames = options.frames
    this.#headers = { ...STREAM_HEADERS, ...options.headers }
    this.#onClose = options.onClose
    this.expiresAt = options.expiresAt
    for (const ref of options.refs) {
      const topic = { ref, snapshot: undefined, word: undefined, heardAt: 0 }
      this.#lines.set(keyOf(ref), { topic, toldSnapshot: undefined, toldWord: undefined })
    }
    // A write that meets a socket just gone is an error of the response; its close tells the same.
    response.on('error', () => {})
    response.once('close', () => this.#release())
  }

  /** Sends the head and whatever is known by now, or a comment; nothing when it was cut before. */
  begin(): void {
    if (this.#ending !== undefined || this.#released) return
    this.#response.writeHead(200, this.#headers)
    this.#live = true
    const known = this.#piece()
    const retry = Buffer.from(encodeRetry(spread(RETRY_MS.min, RETRY_MS.max)))
    this.#write(Buffer.concat([retry, known ?? Buffer.from(COMMENT)]))
  }

  changed(topic: Topic): void {
    const line = this.#lines.get(keyOf(topic.ref))
    if (line === undefined) return
    line.topic = topic
    this.#fresh.add(line)
    this.#pump()
  }

  /** A comment, so that no proxy thinks it dead. */
  beat(): void {
    if (this.#live && this.#writingSince === undefined) this.#write(Buffer.from(COMMENT))
  }

  /** Since when the client has not taken what was written; monotonic ms. */
  stuckSince(): number | undefined {
    return this.#writingSince
  }

  /**
   * Ends it abruptly: no last chunk, so that the client comes back.
   *
   * @param retryMs what the client is told to wait; undefined when it reads nothing anyway
   */
  cut(ending: Ending, retryMs: number | undefined): void {
    const { socket } = this.#response
    if (retryMs === undefined) socket?.destroy()
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#live = false
    if (retryMs === undefined) return
    this.#writingSince ??= performance.now()
    // Without this head a stream that has not begun would be an answer that stops an EventSource.
    if (!this.#response.headersSent) this.#response.writeHead(200, this.#headers)
    // Flushes, then closes without the chunk that would make it a clean end.
    this.#response.write(encodeRetry(retryMs), () => socket?.destroySoon())
  }

  /** The response becomes something else than a stream; false when it is too late for that. */
  abandon(): boolean {
    if (this.#ending !== undefined || this.#released) return false
    this.#ending = 'refused'
    this.#release()
    return true
  }

  #release(): void {
    if (this.#released) return
    this.#released = true
    this.#live = false
    this.#onClose(this.#ending ?? 'left')
  }

  #pump(): void {
    if (!this.#live || this.#writingSince !== undefined) return
    const piece = this.#piece()
    if (piece !== undefined) this.#write(piece)
    else if (this.#isOver()) this.#finish()
  }

  #write(piece: Uint8Array): void {
    this.#writingSince = performance.now()
    this.#response.write(piece, this.#written)
  }

  readonly #written = (): void => {
    this.#writingSince = undefined
    this.#pump()
  }

  #isOver(): boolean {
    for (const { topic } of this.#lines.values()) if (!isOver(topic)) return false
    return true
  }

  #finish(): void {
    this.#ending = 'complete'
    this.#live = false
    this.#writingSince = performance.now()
    this.#response.end(this.#frames.end(this.#told()))
  }

  #told(): Topic[] {
    return [...this.#lines.values()].map(({ topic }) => topic)
  }

  /** The next of what is new, as many events as fit one write. */
  #piece(): Uint8Array | undefined {
    const events: Uint8Array[] = []
    let size = 0
    for (const line of this.#fresh) {
      this.#fresh.delete(line)
      for (const event of this.#news(line)) {
        events.push(event)
        size += event.byteLength
      }
      if (size >= WRITE_BYTES) break
    }
    return events.length > 1 ? Buffer.concat(events) : events[0]
  }

  /** What is new of one export since it was told last. A status after trouble ends the trouble. */
  *#news(line: Line): Generator<Uint8Array> {
    const { ref, snapshot, word } = line.topic
    const recovered = line.toldWord !== undefined && word === undefined
    const isNewer = snapshot?.version !== line.toldSnapshot?.version
    const isNewWord = word !== undefined && word !== line.toldWord
    line.toldWord = word
    if (snapshot !== undefined && (recovered || isNewer)) {
      line.toldSnapshot = snapshot
      yield this.#frames.status(snapshot, ref, this.#stateId())
    }
    if (isNewWord) yield this.#frames.word(word, ref, this.#stateId())
  }

  /** The id of what a client has been told once it has read up to here. */
  #stateId(): string {
    const told = [...this.#lines.values()].map(({ topic, toldSnapshot, toldWord }) => ({
      ref: topic.ref,
      snapshot: toldSnapshot,
      word: toldWord,
    }))
    return this.#frames.stateId(told)
  }
}
