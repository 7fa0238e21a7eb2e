import { describe, expect, it } from 'vitest'
import type { Begun, Store } from '../../src/exports/ports.ts'
import { closedAfterTest, createClock } from './fixtures.ts'
import { HOUR, START } from './records.ts'

const until = { inProgressUntil: START + 45_000, forgetAt: START + 24 * HOUR }
const answer = Buffer.from('{"_id":"exp_A"}')
const finished: Begun = { state: 'finished', answer: new Uint8Array(answer) }
const keyOf = (n: number): string => String(n).padStart(43, 'k')
const [key, other] = [keyOf(1), keyOf(2)]

const createSetUp =
  (open: (given: { now: () => number; maxKeys?: number }) => Store) => (maxKeys?: number) => {
    const clock = createClock()
    const given = maxKeys === undefined ? {} : { maxKeys }
    const { idempotency } = closedAfterTest(open({ now: clock.now, ...given }))
    /** Begins the key now and returns the outcome. */
    const begin = async (wanted = key): Promise<Begun> => {
      const begun = await idempotency.begin(wanted, until)
      // Only the bytes are compared: stores return different kinds of arrays.
      return begun.state === 'finished' ? { ...begun, answer: new Uint8Array(begun.answer) } : begun
    }
    return { clock, idempotency, begin }
  }

/** What every `Idempotency` promises. `open` makes an empty store. */
export const describeIdempotency = (
  name: string,
  open: (given: { now: () => number }) => Store,
): void => {
  const setUp = createSetUp(open)

  describe(`keys of ${name}`, () => {
    it('give the work to the first who begins it, and to nobody else', async () => {
      const { begin } = setUp()
      expect(await begin()).toEqual({ state: 'yours' })
      expect(await begin()).toEqual({ state: 'in-progress' })
      expect(await begin(other)).toEqual({ state: 'yours' })
    })

    it('give the work to one of a hundred who begin it at once', async () => {
      const { begin } = setUp()
      const states = await Promise.all(Array.from({ length: 100 }, () => begin()))
      expect(states.filter(({ state }) => state === 'yours')).toHaveLength(1)
      expect(states.filter(({ state }) => state === 'in-progress')).toHaveLength(99)
    })

    it('tell the answer, byte for byte, once the work is finished', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      const bytes = Uint8Array.from({ length: 16 * 1024 }, (_, n) => n)
      await idempotency.finish(key, bytes)
      expect(await begin()).toEqual({ state: 'finished', answer: bytes })
    })

    it('tell an empty answer as well', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      await idempotency.finish(key, new Uint8Array())
      expect(await begin()).toEqual({ state: 'finished', answer: new Uint8Array() })
    })

    it('keep a copy of the answer, which does not change with the bytes that were given', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      const bytes = Buffer.from(answer)
      await idempotency.finish(key, bytes)
      bytes.fill(0)
      expect(await begin()).toEqual(finished)
    })

    it('refuse an answer over 16 KiB, and the work is not finished', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      await expect(idempotency.finish(key, new Uint8Array(16 * 1024 + 1))).rejects.toThrow(
        RangeError,
      )
      expect(await begin()).toEqual({ state: 'in-progress' })
    })

    it('keep the first answer', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      await idempotency.finish(key, answer)
      await idempotency.finish(key, Buffer.from('another'))
      expect(await begin()).toEqual(finished)
    })

    it('are free again when nothing was done', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      await idempotency.forget(key)
      expect(await begin()).toEqual({ state: 'yours' })
      expect(await begin()).toEqual({ state: 'in-progress' })
    })

    it('are unknown from the moment they are given up', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      await idempotency.giveUp(key)
      expect(await begin()).toEqual({ state: 'unknown' })
    })

    it('take an answer that comes after the work was given up', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      await idempotency.giveUp(key)
      await idempotency.finish(key, answer)
      expect(await begin()).toEqual(finished)
    })

    it('are never free again once the work is finished or given up', async () => {
      const { idempotency, begin } = setUp()
      await begin()
      await idempotency.finish(key, answer)
      await idempotency.giveUp(key)
      await idempotency.forget(key)
      expect(await begin()).toEqual(finished)
      await begin(other)
      await idempotency.giveUp(other)
      await idempotency.forget(other)
      expect(await begin(other)).toEqual({ state: 'unknown' })
    })

    it('that were never begun are not changed by anything', async () => {
      const { idempotency, begin } = setUp()
      await begin(other)
      await idempotency.finish(key, answer)
      await idempotency.giveUp(key)
      await idempotency.forget(key)
      expect(await begin()).toEqual({ state: 'yours' })
      expect(await begin(other)).toEqual({ state: 'in-progress' })
    })

    it.each([Number.NaN, Infinity])('are not taken until %d, which is no time', async (time) => {
      const { idempotency, begin } = setUp()
      for (const wrong of [
        { ...until, forgetAt: time },
        { ...until, inProgressUntil: time },
      ]) {
        await expect(idempotency.begin(key, wrong)).rejects.toThrow(RangeError)
      }
      expect(await begin()).toEqual({ state: 'yours' })
    })

    it('accept times with fractions of milliseconds', async () => {
      const { clock, idempotency, begin } = setUp()
      // Redis counts in real time as well: a slow machine must not reach the end of the key.
      await idempotency.begin(key, { inProgressUntil: START + 9.4, forgetAt: START + 60_019.4 })
      clock.advance(9)
      expect(await begin()).toEqual({ state: 'unknown' })
      clock.advance(60_010)
      expect(await begin()).toEqual({ state: 'yours' })
    })
  })

  describe(`keys of ${name} over time`, () => {
    it('are in progress until their time is out, and unknown from then on', async () => {
      const { clock, begin } = setUp()
      await begin()
      clock.advance(44_999)
      expect(await begin()).toEqual({ state: 'in-progress' })
      clock.advance(1)
      expect(await begin()).toEqual({ state: 'unknown' })
      clock.advance(24 * HOUR - 45_001)
      expect(await begin()).toEqual({ state: 'unknown' })
    })

    it('take an answer that comes after their time is out', async () => {
      const { clock, idempotency, begin } = setUp()
      await begin()
      clock.advance(HOUR)
      await idempotency.finish(key, answer)
      expect(await begin()).toEqual(finished)
    })

    it('are free again even when it is learned late that nothing was done', async () => {
      const { clock, idempotency, begin } = setUp()
      await begin()
      clock.advance(HOUR)
      await idempotency.forget(key)
      expect(await begin()).toEqual({ state: 'yours' })
    })

    it.each(['begun', 'given up', 'finished'])(
      'are forgotten at their time, not before, when the work was %s',
      async (state) => {
        const { clock, idempotency, begin } = setUp()
        await begin()
        if (state === 'given up') await idempotency.giveUp(key)
        clock.advance(HOUR)
        // Neither an answer nor a second `begin` changes the time at which the key is forgotten.
        if (state === 'finished') await idempotency.finish(key, answer)
        const later = { inProgressUntil: START + 99 * HOUR, forgetAt: START + 99 * HOUR }
        await idempotency.begin(key, later)
        clock.advance(23 * HOUR - 1)
        expect(await begin()).toEqual(state === 'finished' ? finished : { state: 'unknown' })
        clock.advance(1)
        expect(await idempotency.begin(key, later)).toEqual({ state: 'yours' })
        expect(await begin()).toEqual({ state: 'in-progress' })
      },
    )

    it('take no answer after they are forgotten', async () => {
      const { clock, idempotency, begin } = setUp()
      await begin()
      clock.advance(24 * HOUR)
      await idempotency.finish(key, answer)
      await idempotency.giveUp(key)
      const later = { inProgressUntil: START + 25 * HOUR, forgetAt: START + 48 * HOUR }
      expect(await idempotency.begin(key, later)).toEqual({ state: 'yours' })
    })
  })
}

/** What an `Idempotency` promises that holds only a certain number of keys. */
export const describeFullIdempotency = (
  name: string,
  open: (given: { now: () => number; maxKeys?: number }) => Store,
): void => {
  const setUp = createSetUp(open)

  describe(`full keys of ${name}`, () => {
    it('reject a new key, and drop none of the others for it', async () => {
      const { idempotency, begin } = setUp(3)
      for (const n of [1, 2, 3]) await begin(keyOf(n))
      await idempotency.giveUp(keyOf(2))
      await idempotency.finish(keyOf(3), answer)
      await expect(begin(keyOf(4))).rejects.toThrow(/remembers 3 idempotency keys/)
      await expect(begin(keyOf(5))).rejects.toThrow(/remembers 3 idempotency keys/)
      expect(await begin(keyOf(1))).toEqual({ state: 'in-progress' })
      expect(await begin(keyOf(2))).toEqual({ state: 'unknown' })
      expect(await begin(keyOf(3))).toEqual(finished)
    })

    it('take a new key after another was set free', async () => {
      const { idempotency, begin } = setUp(1)
      await begin()
      await idempotency.forget(key)
      expect(await begin(other)).toEqual({ state: 'yours' })
    })

    it('take a new key in place of one that is to be forgotten, even before a sweep', async () => {
      const { clock, idempotency, begin } = setUp(2)
      await begin()
      const longer = { ...until, forgetAt: until.forgetAt + 1 }
      await idempotency.begin(other, longer)
      clock.advance(24 * HOUR)
      const later = { inProgressUntil: START + 25 * HOUR, forgetAt: START + 48 * HOUR }
      expect(await idempotency.begin(keyOf(3), later)).toEqual({ state: 'yours' })
      await expect(idempotency.begin(keyOf(4), later)).rejects.toThrow()
      expect(await begin(other)).toEqual({ state: 'unknown' })
    })
  })
}
