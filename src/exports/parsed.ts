/** Reads JSON that may be anything. */

export type Fields = Readonly<Record<string, unknown>>

/** Returns undefined for text that is no JSON. */
export const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The fields of an object; none for any other value. */
export const objectFrom = (value: unknown): Fields =>
  // The cast is safe for any object, because every reader of a field checks it.
  typeof value === 'object' && value !== null ? (value as Fields) : {}

/** JSON can hold `1e999`, read as infinity. Such a time would lie ahead for ever. */
export const isTime = (value: unknown): value is number => Number.isFinite(value)
