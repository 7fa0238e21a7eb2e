import type { Begun } from '../exports/ports.ts'

/**
 * The rules of `Idempotency` that the stores share. In doubt a key stays taken: a key that is freed
 * by mistake starts an export twice, while a key that stays taken too long only gives its caller an
 * error. Times are epoch milliseconds.
 */

/** What a store keeps of a piece of work that must be done only once. */
export type Work =
  | { readonly state: 'begun'; readonly inProgressUntil: number; readonly forgetAt: number }
  | { readonly state: 'given-up'; readonly forgetAt: number }
  | { readonly state: 'finished'; readonly forgetAt: number; readonly answer: Uint8Array }

/**
 * How many keys a store remembers at most at once. Each key has cost a call to lemlist, because a
 * start that was never made frees its key. 20 000 keys in 24 h are one start every 4 s around the
 * clock. They take about 15 MiB with lemlist's short answers, and 320 MiB with the longest allowed.
 */
export const MAX_KEYS = 20_000

/** No answer of lemlist to a start is longer, because the lemlist client refuses longer bodies. */
const MAX_ANSWER_BYTES = 16 * 1024

/** How long the key of a damaged record stays taken. No key is remembered for longer. */
const DAMAGED_MS = 24 * 3_600_000

/** The store remembers as many keys as it may, and must not drop one of them before its time. */
export class TooManyKeys extends Error {
  override readonly name = 'TooManyKeys'
  constructor(maxKeys: number) {
    super(`The store already remembers ${maxKeys} idempotency keys and may not take more`)
  }
}

/** @throws RangeError for a value that is no time: such a key would stay for ever, or not at all */
export const taken = (until: {
  inProgressUntil: number
  forgetAt: number
}): Extract<Work, { state: 'begun' }> => {
  // The stores keep integers.
  const inProgressUntil = Math.round(until.inProgressUntil)
  const forgetAt = Math.round(until.forgetAt)
  if (!Number.isSafeInteger(inProgressUntil) || !Number.isSafeInteger(forgetAt)) {
    throw new RangeError('inProgressUntil and forgetAt must be epoch milliseconds')
  }
  return { state: 'begun', inProgressUntil, forgetAt }
}

/** Returns the work if a store still remembers it at `now`. */
export const workAt = (work: Work | undefined, now: number): Work | undefined =>
  work === undefined || now >= work.forgetAt ? undefined : work

/** Returns what the store tells another caller who begins the same work. */
export const toldOf = (work: Work, now: number): Begun => {
  if (work.state === 'finished') return { state: 'finished', answer: work.answer }
  return { state: work.state === 'begun' && now < work.inProgressUntil ? 'in-progress' : 'unknown' }
}

/**
 * Returns the finished work. Work that was given up can still be finished. The first answer stays.
 *
 * @throws RangeError over 16 KiB
 */
export const finished = (work: Work, answer: Uint8Array): Work => {
  if (answer.byteLength > MAX_ANSWER_BYTES) {
    throw new RangeError(`An answer has at most ${MAX_ANSWER_BYTES} bytes`)
  }
  if (work.state === 'finished') return work
  // The store keeps a copy. A slice would keep the whole buffer it was cut from in memory for 24 h.
  return { state: 'finished', forgetAt: work.forgetAt, answer: new Uint8Array(answer) }
}

export const givenUp = (work: Work): Work =>
  work.state === 'begun' ? { state: 'given-up', forgetAt: work.forgetAt } : work

/** Whether `forget` frees the key. Work that was finished or given up may have had an effect. */
export const mayBeSetFree = (work: Work): boolean => work.state === 'begun'

/** Returns what replaces a record that cannot be read. All that is known: the work was begun. */
export const damagedWork = (now: number): Work => ({
  state: 'given-up',
  forgetAt: now + DAMAGED_MS,
})
