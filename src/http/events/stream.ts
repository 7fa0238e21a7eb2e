import type { ServerResponse } from 'node:http'
import { type ExportRef, isFinal } from '../../exports/export.ts'
import { type Doubter, isOver, type Topic } from '../../exports/watching/hub.ts'
import { type Cut, type Ending, sendAway } from './ending.ts'
import type { Frames } from './frames.ts'
import { type Line, Lines, type Told } from './lines.ts'
import { COMMENT, encodeRetry, spread } from './sse.ts'

export interface StreamOptions {
  readonly frames: Frames
  /** The exports that the stream tells of. */
  readonly refs: readonly ExportRef[]
  /** The id of the request, which the client finds in `X-Request-Id` and in every problem. */
  readonly requestId: string
  /** When the stream is rotated, monotonic milliseconds. */
  readonly expiresAt: number
  /** How the stream ends when its client must come back. */
  readonly cut: Cut
  /**
   * Whether the client may have seen more than this replica knows. Then no status that is not final
   * is sent before it is confirmed.
   */
  readonly isDoubted: boolean
  /** Whether the stream goes on when all its exports are over, because others may come. Default: no. */
  readonly isEndless?: boolean | undefined
  /** Whether the client was told this before it reconnected. Default: nothing. */
  readonly wasTold?: ((told: Told) => boolean) | undefined
  /** Called once when the stream is over, so that it leaves its topics. */
  readonly onClose: (ending: Ending) => void
}

export const STREAM_HEADERS = {
  // Without the charset, Python's requests reads any `text/…` as ISO-8859-1.
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
} as const

const nothing = (): void => {}

/**
 * One write takes events until they have at least this many bytes. The next write begins when the
 * client has taken this one. So a client that reads gets all news without delay, and a client that
 * does not read costs little more than this many bytes.
 */
const WRITE_BYTES = 32 * 1024
const RETRY_MS = { min: 2_000, max: 5_000 }

/**
 * One `text/event-stream` response. It writes one piece at a time. While a piece is on its way, the
 * stream keeps only a reference to the newest status of each export (conflation). So a client that
 * does not read costs the bytes of one write, however many changes come.
 */
export class EventStream implements Doubter {
  readonly expiresAt: number
  readonly #response: ServerResponse
  readonly #frames: Frames
  readonly #requestId: string
  readonly #onClose: (ending: Ending) => void
  readonly #cut: Cut
  readonly #isEndless: boolean
  readonly #wasTold: ((told: Told) => boolean) | undefined
  readonly #lines = new Lines()
  /** The lines that have news. Undefined while there are none, which is nearly always. */
  #fresh: Set<Line> | undefined
  /** When the write that is on its way began, monotonic milliseconds; undefined when none is. */
  #writingSince: number | undefined
  #live = false
  #released = false
  #ending: Ending | undefined

  constructor(response: ServerResponse, options: StreamOptions) {
    this.#response = response
    this.#frames = options.frames
    this.#requestId = options.requestId
    this.#onClose = options.onClose
    this.expiresAt = options.expiresAt
    this.#cut = options.cut
    this.#isEndless = options.isEndless ?? false
    this.#wasTold = options.wasTold
    for (const ref of options.refs) this.admit(ref, options.isDoubted)
    // A write to a socket that has just closed is an error of the response. `close` follows and is
    // handled below. Without a listener the error would end the process.
    response.on('error', nothing)
    response.on('close', () => this.#release())
  }

  /**
   * Sends the head and what is known by now, or a comment when nothing is known. The `retry` line
   * belongs to the first event, whenever that comes. Sends nothing when the stream is over already.
   *
   * What is gone comes last, behind a comment of its own. So the bytes do not tell whether an export
   * is another caller's, is known to be missing, or was just found missing.
   */
  begin(): void {
    if (this.#ending !== undefined || this.#released) return
    const { socket } = this.#response
    // The socket sends the head and the first events together.
    socket?.cork()
    this.#writeHead()
    // Node joins the head from some thirty strings, and keeps them all as long as the response. Sent
    // by itself, the head becomes one string, which takes a KiB less.
    this.#response.flushHeaders()
    this.#live = true
    const fresh = [...(this.#fresh ?? [])]
    const isGone = ({ topic }: Line): boolean => topic.word?.kind === 'gone'
    this.#fresh = new Set(fresh.filter((line) => !isGone(line)))
    const known = this.#piece() ?? Buffer.from(COMMENT)
    for (const line of fresh.filter(isGone)) this.#note(line)
    const retry = Buffer.from(encodeRetry(spread(RETRY_MS.min, RETRY_MS.max)))
    this.#write(Buffer.concat([retry, known]))
    socket?.uncork()
  }

  /** Tells of one more export from now on. */
  admit(ref: ExportRef, isDoubted: boolean): void {
    const topic = { ref, snapshot: undefined, word: undefined, heardAt: 0 }
    this.#lines.add({ topic, toldSnapshot: undefined, toldWord: undefined, isDoubted })
  }

  /** Tells nothing more of an export. */
  dismiss(ref: ExportRef): void {
    const line = this.#lines.remove(ref)
    if (line !== undefined) this.#fresh?.delete(line)
  }

  /** The exports that the stream tells of, in the order in which they were admitted. */
  refs(): ExportRef[] {
    return this.#lines.all().map(({ topic }) => topic.ref)
  }

  tellsOf(ref: ExportRef): boolean {
    return this.#lines.get(ref) !== undefined
  }

  /** Whether the client was told that the export is over. */
  isDone(ref: ExportRef): boolean {
    const line = this.#lines.get(ref)
    return line !== undefined && isOver(line.topic) && this.#fresh?.has(line) !== true
  }

  changed(topic: Topic): void {
    const line = this.#lines.get(topic.ref)
    if (line === undefined) return
    line.topic = topic
    this.#note(line)
    this.#pump()
  }

  confirmed(topic: Topic): void {
    const line = this.#lines.get(topic.ref)
    if (line !== undefined) line.isDoubted = false
    this.changed(topic)
  }

  /** Sends a comment, so that no proxy takes the stream for dead. */
  beat(): void {
    if (this.#live && this.#writingSince === undefined) this.#write(Buffer.from(COMMENT))
  }

  /** Since when the client has not taken the last write, monotonic milliseconds. */
  stuckSince(): number | undefined {
    return this.#writingSince
  }

  /**
   * Ends the stream before everything is told, so that the client reconnects.
   *
   * @param retryMs how long the client is told to wait, milliseconds; undefined for a client that
   * does not read anyway, whose socket is closed at once
   */
  cut(ending: Ending, retryMs: number | undefined): void {
    const { socket } = this.#response
    if (retryMs === undefined) socket?.destroy()
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#live = false
    if (retryMs === undefined) return
    this.#writingSince ??= performance.now()
    // A stream that has not begun has sent no head. Without this head Node would answer 200 without
    // a content type, and that stops an EventSource for good.
    if (!this.#response.headersSent) this.#writeHead()
    sendAway(this.#response, this.#cut, retryMs)
  }

  /** Gives the response up, so that it can become another answer. False when the stream is over. */
  abandon(): boolean {
    if (this.#ending !== undefined || this.#released) return false
    this.#ending = 'refused'
    this.#release()
    return true
  }

  #note(line: Line): void {
    this.#fresh ??= new Set()
    this.#fresh.add(line)
  }

  #writeHead(): void {
    this.#response.writeHead(200, { ...STREAM_HEADERS, 'x-request-id': this.#requestId })
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
    this.#response.write(piece, () => this.#written())
  }

  #written(): void {
    this.#writingSince = undefined
    this.#pump()
  }

  #isOver(): boolean {
    return !this.#isEndless && this.#lines.all().every(({ topic }) => isOver(topic))
  }

  #finish(): void {
    this.#ending = 'complete'
    this.#live = false
    this.#writingSince = performance.now()
    this.#response.end(this.#frames.end(this.#told()))
  }

  #told(): Topic[] {
    return this.#lines.all().map(({ topic }) => topic)
  }

  /** The next news, as many events as go into one write; undefined when there is no news. */
  #piece(): Uint8Array | undefined {
    const fresh = this.#fresh
    if (fresh === undefined) return undefined
    const events: Uint8Array[] = []
    let size = 0
    for (const line of fresh) {
      fresh.delete(line)
      for (const event of this.#news(line)) {
        events.push(event)
        size += event.byteLength
      }
      if (size >= WRITE_BYTES) break
    }
    if (fresh.size === 0) this.#fresh = undefined
    return events.length > 1 ? Buffer.concat(events) : events[0]
  }

  /**
   * The events of one export that the client has not been told yet. After trouble the status is
   * sent again even if it has not changed, because a status is what ends the trouble.
   */
  *#news(line: Line): Generator<Uint8Array> {
    const { ref, word } = line.topic
    const known = line.topic.snapshot
    const isShown = known !== undefined && (!line.isDoubted || isFinal(known))
    const snapshot = isShown ? known : line.toldSnapshot
    const recovered = line.toldWord !== undefined && word === undefined
    const isNewer = snapshot?.version !== line.toldSnapshot?.version
    const isNewWord = word !== undefined && word !== line.toldWord
    const isFirst = line.toldSnapshot === undefined && line.toldWord === undefined
    line.toldWord = word
    if (isFirst && this.#wasTold?.({ ref, snapshot, word })) {
      line.toldSnapshot = snapshot
      return
    }
    if (snapshot !== undefined && (recovered || isNewer)) {
      line.toldSnapshot = snapshot
      yield this.#frames.status(snapshot, ref, this.#stateId())
    }
    if (isNewWord) yield this.#frames.word(word, ref, this.#stateId(), this.#requestId)
  }

  /** The id of the state of a client that has read everything up to this event. */
  #stateId(): string {
    const told = this.#lines.all().map(({ topic, toldSnapshot, toldWord }) => ({
      ref: topic.ref,
      snapshot: toldSnapshot,
      word: toldWord,
    }))
    return this.#frames.stateId(told)
  }
}
