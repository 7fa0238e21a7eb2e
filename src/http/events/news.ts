import { type ExportRef, isFinal } from '../../exports/export.ts'
import { isOver, type Topic } from '../../exports/watching/topic.ts'
import type { Frames } from './frames.ts'
import { type Line, Lines, type Told } from './lines.ts'
import { State } from './state.ts'
import type { Encoded } from './wire.ts'

export interface NewsOptions {
  readonly frames: Frames
  /** The id of the request, which the client finds in `X-Request-Id` and in every problem. */
  readonly requestId: string
  /** Whether the client was told this before it reconnected. Default: nothing. */
  readonly wasTold?: ((told: Told) => boolean) | undefined
}

/**
 * One write takes events until they have at least this many bytes. The next write begins when the
 * client has taken this one. So a client that reads gets all news without delay, and a client that
 * does not read costs little more than this many bytes.
 */
const WRITE_BYTES = 32 * 1024

const isGone = ({ topic }: Line): boolean => topic.word?.kind === 'gone'

/**
 * The exports of one stream, and what its client has not been told of them yet. Of each export it
 * keeps only a reference to the newest status (conflation).
 */
export class News {
  readonly #frames: Frames
  readonly #requestId: string
  readonly #wasTold: ((told: Told) => boolean) | undefined
  readonly #lines = new Lines()
  /** The lines that have news, each once. Undefined while there are none, which is nearly always. */
  #fresh: Line[] | undefined

  constructor({ frames, requestId, wasTold }: NewsOptions) {
    this.#frames = frames
    this.#requestId = requestId
    this.#wasTold = wasTold
  }

  /** Tells of one more export from now on. */
  admit(ref: ExportRef, isDoubted: boolean): void {
    // Without a spread, the object has room for all five, and V8 needs no second one for the last.
    this.#lines.add({
      topic: { ref, snapshot: undefined, word: undefined, heardAt: 0 },
      toldSnapshot: undefined,
      toldWord: undefined,
      isDoubted,
      isFresh: false,
    })
  }

  /** Tells nothing more of an export. */
  dismiss(ref: ExportRef): void {
    const line = this.#lines.remove(ref)
    if (line?.isFresh === true) this.#fresh = this.#fresh?.filter((other) => other !== line)
  }

  /** The exports, in the order in which they were admitted. */
  refs(): ExportRef[] {
    return this.#lines.all().map(({ topic }) => topic.ref)
  }

  tellsOf(ref: ExportRef): boolean {
    return this.#lines.get(ref) !== undefined
  }

  /** Whether the client was told that the export is over. */
  isDone(ref: ExportRef): boolean {
    const line = this.#lines.get(ref)
    return line !== undefined && isOver(line.topic) && !line.isFresh
  }

  /** Takes in what is new of an export. Does nothing for an export that it does not tell of. */
  note(topic: Topic): void {
    const line = this.#lines.get(topic.ref)
    if (line === undefined) return
    line.topic = topic
    this.#refresh(line)
  }

  /** Ends the doubt about what is known of an export. */
  believe(ref: ExportRef): void {
    const line = this.#lines.get(ref)
    if (line !== undefined) line.isDoubted = false
  }

  /** Whether it tells of one export. */
  isOfOne(): boolean {
    return this.#lines.isOne()
  }

  /** Whether there is something to tell. */
  isPending(): boolean {
    return this.#fresh !== undefined
  }

  /** Whether there will never be anything new about all of the exports. */
  areOver(): boolean {
    return this.#lines.all().every(({ topic }) => isOver(topic))
  }

  /** The events of the next write; undefined when there is nothing to tell. */
  next(): Encoded[] | undefined {
    const fresh = this.#fresh
    if (fresh === undefined) return undefined
    const state = new State(this.#frames, this.#lines)
    const events: Encoded[] = []
    let size = 0
    let taken = 0
    for (const line of fresh) {
      taken += 1
      line.isFresh = false
      size += this.#tell(line, state, events)
      if (size >= WRITE_BYTES) break
    }
    this.#fresh = taken === fresh.length ? undefined : fresh.slice(taken)
    return events.length === 0 ? undefined : events
  }

  /** The same, but what is gone is left for a later write, behind all else. */
  nextButGone(): Encoded[] | undefined {
    const fresh = this.#fresh ?? []
    if (!fresh.some(isGone)) return this.next()
    this.#fresh = fresh.filter((line) => !isGone(line))
    const events = this.next()
    this.#fresh = [...(this.#fresh ?? []), ...fresh.filter(isGone)]
    return events
  }

  /** The event that says that nothing more will come. */
  end(): Uint8Array {
    return this.#frames.end(this.#lines.all().map(({ topic }) => topic))
  }

  #refresh(line: Line): void {
    if (line.isFresh) return
    line.isFresh = true
    if (this.#fresh === undefined) this.#fresh = [line]
    else this.#fresh.push(line)
  }

  /**
   * Adds the events of one export that the client has not been told yet. After trouble the status is
   * sent again even if it has not changed, because a status is what ends the trouble.
   *
   * @returns how many bytes they have
   */
  #tell(line: Line, state: State, events: Encoded[]): number {
    const { ref, word } = line.topic
    const known = line.topic.snapshot
    const isShown = known !== undefined && (!line.isDoubted || isFinal(known))
    const snapshot = isShown ? known : line.toldSnapshot
    const recovered = line.toldWord !== undefined && word === undefined
    const isNewer = snapshot?.version !== line.toldSnapshot?.version
    const isNewWord = word !== undefined && word !== line.toldWord
    const isFirst = line.toldSnapshot === undefined && line.toldWord === undefined
    line.toldWord = word
    line.toldSnapshot = snapshot
    state.told(line)
    if (isFirst && this.#wasTold?.({ ref, snapshot, word })) return 0
    let size = 0
    const add = (event: Encoded): void => {
      events.push(event)
      size += event.bytes.byteLength
    }
    if (snapshot !== undefined && (recovered || isNewer)) {
      add(this.#frames.status(snapshot, ref, state))
    }
    if (isNewWord) add(this.#frames.word(word, ref, state, this.#requestId))
    return size
  }
}
