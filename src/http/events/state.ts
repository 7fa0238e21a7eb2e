import { isOver } from '../../exports/watching/topic.ts'
import type { Frames } from './frames.ts'
import type { Line, Lines } from './lines.ts'

/**
 * Makes the ids of the events of one write. Each id names what the client was told of all exports of its stream
 * up to that event. From one event to the next only the part of one export changes, so the
 * other parts are made once.
 */
export class State {
  readonly #frames: Pick<Frames, 'part' | 'stateId'>
  readonly #lines: Lines
  /** Undefined as long as nobody has asked for an id: a stream of one export needs none. */
  #parts: Map<Line, string> | undefined

  constructor(frames: Pick<Frames, 'part' | 'stateId'>, lines: Lines) {
    this.#frames = frames
    this.#lines = lines
  }

  /** Called when the client is told something of an export. */
  told(line: Line): void {
    this.#parts?.set(line, this.#partOf(line))
  }

  /** The id of the state by now. */
  id(): string {
    this.#parts ??= new Map(this.#lines.all().map((line) => [line, this.#partOf(line)]))
    const lines = this.#lines.all()
    const areOver = lines.every((line) =>
      isOver({ snapshot: line.toldSnapshot, word: line.toldWord }),
    )
    return this.#frames.stateId([...this.#parts.values()], areOver)
  }

  #partOf({ topic, toldSnapshot, toldWord }: Line): string {
    return this.#frames.part({ ref: topic.ref, snapshot: toldSnapshot, word: toldWord })
  }
}
