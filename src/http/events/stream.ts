import type { ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { ExportRef } from '../../exports/export.ts'
import { nextTurn } from '../../exports/slices.ts'
import type { Doubter } from '../../exports/watching/hub.ts'
import type { Topic } from '../../exports/watching/topic.ts'
import { type Cut, type Ending, sendAway } from './ending.ts'
import { writeStreamHead } from './head.ts'
import { News, type NewsOptions } from './news.ts'
import { COMMENT, encodeRetry, spread } from './sse.ts'
import { type Encoded, encodeShared, isTaken, whenTaken, writeEvents } from './wire.ts'

export interface StreamOptions extends NewsOptions {
  /** The exports that the stream tells of. */
  readonly refs: readonly ExportRef[]
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
  /** Called once when the stream is over, so that it leaves its topics. */
  readonly onClose: (ending: Ending) => void
}

const nothing = (): void => {}

const RETRY_MS = { min: 2_000, max: 5_000 }

const BEAT = [encodeShared(COMMENT)]

/**
 * One `text/event-stream` response. It writes one piece at a time. While a piece is on its way, the
 * news wait. So a client that does not read costs the bytes of one write, however many changes come.
 */
export class EventStream implements Doubter {
  readonly expiresAt: number
  /** The exports of the stream, and what the client has not been told of them yet. */
  readonly news: News
  readonly #response: ServerResponse
  readonly #requestId: string
  readonly #onClose: (ending: Ending) => void
  readonly #cut: Cut
  readonly #isEndless: boolean
  /** When the write that is on its way began, monotonic milliseconds; undefined when none is. */
  #writingSince: number | undefined
  #live = false
  #released = false
  #ending: Ending | undefined

  constructor(response: ServerResponse, options: StreamOptions) {
    this.#response = response
    this.news = new News(options)
    this.#requestId = options.requestId
    this.#onClose = options.onClose
    this.expiresAt = options.expiresAt
    this.#cut = options.cut
    this.#isEndless = options.isEndless ?? false
    for (const ref of options.refs) this.news.admit(ref, options.isDoubted)
    // A write to a socket that has just closed is an error of the response, which is over then. Without
    // a listener the error would end the process.
    response.on('error', nothing)
  }

  /**
   * Sends the head and what is known by now, or a comment when nothing is known. The `retry` line
   * belongs to the first event, whenever that comes. Sends nothing when the stream is over already.
   *
   * What is gone comes last, behind a comment of its own. So the bytes do not tell whether an export
   * is another caller's, is known to be missing, or was just found missing.
   */
  begin(): void {
    if (this.#ending !== undefined || this.#released || this.#response.destroyed) return
    const { socket } = this.#response
    // The socket sends the head and the first events together.
    socket?.cork()
    writeStreamHead(this.#response, this.#requestId)
    // Node joins the head from some thirty strings, and keeps them all as long as the response. Sent
    // by itself, the head becomes one string, which takes a KiB less.
    this.#response.flushHeaders()
    this.#live = true
    const retry = encodeRetry(spread(RETRY_MS.min, RETRY_MS.max))
    writeEvents(this.#response, this.news.nextButGone() ?? BEAT, retry)
    socket?.uncork()
    this.#wait()
  }

  changed(topic: Topic): void {
    this.news.note(topic)
    this.#pump()
  }

  confirmed(topic: Topic): void {
    this.news.believe(topic.ref)
    this.changed(topic)
  }

  /** Sends a comment, so that no proxy takes the stream for dead. */
  beat(): void {
    if (this.#live && this.#writingSince === undefined) this.#write(BEAT)
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
    if (!this.#response.headersSent) writeStreamHead(this.#response, this.#requestId)
    sendAway(this.#response, this.#cut, retryMs)
  }

  /** Gives the response up, so that it can become another answer. False when the stream is over. */
  abandon(): boolean {
    if (this.#ending !== undefined || this.#released) return false
    this.#ending = 'refused'
    this.over()
    return true
  }

  /** To be called when the response is over (`close`), however it ended. */
  over(): void {
    if (this.#released) return
    this.#released = true
    this.#live = false
    this.#onClose(this.#ending ?? 'left')
  }

  #pump(): void {
    if (!this.#live || this.#writingSince !== undefined) return
    const events = this.news.next()
    if (events !== undefined) this.#write(events)
    else if (!this.#isEndless && this.news.areOver()) this.#finish()
  }

  #write(events: readonly Encoded[]): void {
    writeEvents(this.#response, events)
    this.#wait()
  }

  #wait(): void {
    // The news of many exports come one after the other in one turn, and what came while a write was on
    // its way leaves in one piece. So a write of such a stream ends in a later turn, taken or not.
    if (this.news.isOfOne() && isTaken(this.#response)) {
      this.#written()
    } else {
      this.#writingSince = performance.now()
      whenTaken(this.#response, () => this.#written())
    }
  }

  #written(): void {
    if (!this.news.isPending()) {
      this.#goOn()
      return
    }
    // Hundreds of clients may take their first piece at one moment. The next piece of each has a turn
    // of the event loop of its own.
    this.#writingSince ??= performance.now()
    void nextTurn().then(() => this.#goOn())
  }

  #goOn(): void {
    this.#writingSince = undefined
    this.#pump()
  }

  #finish(): void {
    this.#ending = 'complete'
    this.#live = false
    this.#writingSince = performance.now()
    this.#response.end(this.news.end())
  }
}
