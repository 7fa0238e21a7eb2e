import { type ExportRef, isSameExport, keyOf, type Snapshot } from '../../exports/export.ts'
import type { Topic, Word } from '../../exports/watching/topic.ts'

/** What a client is told of one export. */
export type Told = Pick<Topic, 'ref' | 'snapshot' | 'word'>

/** One export of a stream: what is known of it, and what the client has been told. */
export interface Line {
  topic: Topic
  toldSnapshot: Snapshot | undefined
  toldWord: Word | undefined
  isDoubted: boolean
  /** Whether it waits among the news of the stream. */
  isFresh: boolean
}

/** The lines of one stream. The line of a stream of one export needs no Map, which takes 250 bytes. */
export class Lines {
  #only: Line | undefined
  #many: Map<string, Line> | undefined

  add(line: Line): void {
    if (this.#only === undefined && this.#many === undefined) {
      this.#only = line
      return
    }
    this.#many ??= new Map()
    if (this.#only !== undefined) this.#many.set(keyOf(this.#only.topic.ref), this.#only)
    this.#only = undefined
    this.#many.set(keyOf(line.topic.ref), line)
  }

  /** Whether there is one line, and never were more. */
  isOne(): boolean {
    return this.#only !== undefined
  }

  get(ref: ExportRef): Line | undefined {
    if (this.#many !== undefined) return this.#many.get(keyOf(ref))
    const { ref: only } = this.#only?.topic ?? {}
    return only !== undefined && isSameExport(only, ref) ? this.#only : undefined
  }

  /** Returns the line that was removed. */
  remove(ref: ExportRef): Line | undefined {
    const line = this.get(ref)
    if (line === this.#only) this.#only = undefined
    this.#many?.delete(keyOf(ref))
    return line
  }

  all(): Line[] {
    if (this.#many !== undefined) return [...this.#many.values()]
    return this.#only === undefined ? [] : [this.#only]
  }
}
