import type { Begun } from '../exports/ports.ts'

/**
 * The rules of `Idempotency` that every store in this process keeps. Where they leave a choice, they
 * keep a key taken: a key set free by mistake starts an export twice, one kept too long is told.
 * Times are epoch milliseconds.
 */

/** What a store keeps of a piece of work that is to be done once. */
export type Work =
  | { readonly state: 'begun'; readonly inProgressUntil: number; readonly forgetAt: number }
  | { readonly state: 'given-up'; readonly forgetAt: number }
  | { readonly state: 'finished'; readonly forgetAt: number; readonly answer: Uint8Array }

/**
 * The bound of the keys that are remembered at once. Each has cost a call to lemlist, since a start
 * that was never made sets its key free; this many in their 24 h are one every 4 s around the clock.
 * With lemlist's short answers they take some 15 MiB, with the longest allowed 320 MiB.
 */
export const MAX_KEYS = 20_000

/** More is none of lemlist's answers to a start. */
const MAX_ANSWER_BYTES = 16 * 1024

/** For how long the key of a damaged record stays taken: none is remembered for longer. */
const DAMAGED_MS = 24 * 3_600_000

/** As many keys as there may be are remembered, and none of them may go before its time. */
export class TooManyKeys extends Error {
  override readonly name = 'TooManyKeys'
  constructor(maxKeys: number) {
    super(`The store remembers ${maxKeys} idempotency keys already, which is all it may`)
  }
}

/** @throws RangeError for what is no time: it would be remembered for ever, or not at all */
export const taken = (until: {
  inProgressUntil: number
  forgetAt: number
}): Extract<Work, { state: 'begun' }> => {
  // The integers of a store take no fractions.
  const inProgressUntil = Math.round(until.inProgressUntil)
  const forgetAt = Math.round(until.forgetAt)
  if (!Number.isSafeInteger(inProgressUntil) || !Number.isSafeInteger(forgetAt)) {
    throw new RangeError('inProgressUntil and forgetAt must be epoch milliseconds')
  }
  return { state: 'begun', inProgressUntil, forgetAt }
}

/** What is remembered of it at `now`. */
export const workAt = (work: Work | undefined, now: number): Work | undefined =>
  work === undefined || now >= work.forgetAt ? undefined : work

/** What somebody else is told who begins it too. */
export const toldOf = (work: Work, now: number): Begun => {
  if (work.state === 'finished') return { state: 'finished', answer: work.answer }
  return { state: work.state === 'begun' && now < work.inProgressUntil ? 'in-progress' : 'unknown' }
}

/**
 * Learnt late is learnt; the first answer stays.
 *
 * @throws RangeError over 16 KiB
 */
export const finished = (work: Work, answer: Uint8Array): Work => {
  if (answer.byteLength > MAX_ANSWER_BYTES) {
    throw new RangeError(`An answer has at most ${MAX_ANSWER_BYTES} bytes`)
  }
  if (work.state === 'finished') return work
  // A copy: a few bytes of a large buffer would hold all of it for 24 h.
  return { state: 'finished', forgetAt: work.forgetAt, answer: new Uint8Array(answer) }
}

export const givenUp = (work: Work): Work =>
  work.state === 'begun' ? { state: 'given-up', forgetAt: work.forgetAt } : work

/** Whoever finished it or gave it up cannot say any more that nothing was done. */
export const mayBeSetFree = (work: Work): boolean => work.state === 'begun'

/** What stands in for a record that cannot be read: it was begun, and that is all we know. */
export const damagedWork = (now: number): Work => ({
  state: 'given-up',
  forgetAt: now + DAMAGED_MS,
})
