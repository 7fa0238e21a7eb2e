import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import { type Clock, closedAfterTest, createClock } from './fixtures.ts'
import { finalOf, HOUR, refOf, START, timedOut } from './records.ts'

const ref = refOf('exp_A')

/** What every `Results` promises. `open` makes an empty store on the given wall clock. */
export const describeResults = (name: string, open: (clock: Clock) => Store): void => {
  const setUp = () => {
    const clock = createClock()
    const store = closedAfterTest(open(clock))
    return { clock, store, results: store.results }
  }

  describe(`results of ${name}`, () => {
    it('knows nothing of an export that was never put', async () => {
      const { results } = setUp()
      expect(await results.get(ref)).toBeUndefined()
    })

    it('gives back a final record as it was put', async () => {
      const { results } = setUp()
      expect(await results.put(ref, finalOf('{"a":1}'))).toEqual(finalOf('{"a":1}'))
      expect(await results.get(ref)).toMatchObject({
        kind: 'final',
        forgetAt: START + 48 * HOUR,
        snapshot: {
          state: 'done',
          version: 'v-__a__1_',
          observedAt: START,
          endOfLife: START + 24 * HOUR,
        },
      })
    })

    it('gives back any body byte for byte', async () => {
      const { results } = setUp()
      let n = 0
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 16_384 }), async (body) => {
          const at = refOf(`exp_${n++}`)
          const record = finalOf('')
          await results.put(at, { ...record, snapshot: { ...record.snapshot, body } })
          const kept = await results.get(at)
          if (kept?.kind !== 'final') throw new Error('not kept')
          expect(Buffer.compare(kept.snapshot.body, body)).toBe(0)
        }),
        { numRuns: 100, seed: 1 },
      )
    })

    it('keeps the first final record and says so', async () => {
      const { results } = setUp()
      await results.put(ref, finalOf('first'))
      const kept = await results.put(ref, finalOf('second', 'error'))
      expect(kept).toMatchObject({ snapshot: { version: 'v-first', state: 'done' } })
      expect(await results.get(ref)).toMatchObject({ snapshot: { version: 'v-first' } })
    })

    it('lets a final record beat a timed-out one', async () => {
      const { results } = setUp()
      expect(await results.put(ref, timedOut)).toEqual(timedOut)
      expect(await results.get(ref)).toEqual(timedOut)
      expect(await results.put(ref, finalOf('late'))).toMatchObject({ kind: 'final' })
      expect(await results.get(ref)).toMatchObject({ snapshot: { version: 'v-late' } })
    })

    it('lets no timed-out record beat a final one', async () => {
      const { results } = setUp()
      await results.put(ref, finalOf('done'))
      expect(await results.put(ref, timedOut)).toMatchObject({ kind: 'final' })
      expect(await results.get(ref)).toMatchObject({ kind: 'final' })
    })

    it('keeps the first timed-out record', async () => {
      const { results } = setUp()
      await results.put(ref, timedOut)
      const later = { ...timedOut, forgetAt: timedOut.forgetAt + HOUR }
      expect(await results.put(ref, later)).toEqual(timedOut)
    })

    it('turns a final record into an expired one at its end of life', async () => {
      const { results, clock } = setUp()
      await results.put(ref, finalOf('done'))
      clock.advance(24 * HOUR - 1)
      expect(await results.get(ref)).toMatchObject({ kind: 'final' })
      clock.advance(1)
      expect(await results.get(ref)).toEqual({ kind: 'expired', forgetAt: START + 48 * HOUR })
    })

    it('lets nothing beat what is left of a final record', async () => {
      const { results, clock } = setUp()
      await results.put(ref, finalOf('done'))
      clock.advance(30 * HOUR)
      const record = finalOf('again')
      const young = { ...record.snapshot, endOfLife: START + 40 * HOUR }
      expect(await results.put(ref, { ...record, snapshot: young })).toMatchObject({
        kind: 'expired',
      })
      expect(await results.put(ref, { ...timedOut, forgetAt: START + 40 * HOUR })).toMatchObject({
        kind: 'expired',
      })
    })

    it('forgets a record when its time has come, and takes a new one then', async () => {
      const { results, clock } = setUp()
      await results.put(ref, finalOf('done'))
      clock.advance(48 * HOUR)
      expect(await results.get(ref)).toBeUndefined()
      const next = { kind: 'timed-out', forgetAt: START + 60 * HOUR } as const
      expect(await results.put(ref, next)).toEqual(next)
    })

    it('forgets a timed-out record when its time has come', async () => {
      const { results, clock } = setUp()
      await results.put(ref, timedOut)
      clock.advance(24 * HOUR)
      expect(await results.get(ref)).toBeUndefined()
    })

    it('keeps a record that comes after its end of life only as an expired one', async () => {
      const { results, clock } = setUp()
      clock.advance(24 * HOUR)
      expect(await results.put(ref, finalOf('late'))).toMatchObject({ kind: 'expired' })
      clock.advance(24 * HOUR)
      const forgotten = finalOf('too late')
      expect(await results.put(ref, forgotten)).toEqual(forgotten)
      expect(await results.get(ref)).toBeUndefined()
    })

    it('answers many in their order, the unknown ones too', async () => {
      const { results } = setUp()
      await results.put(refOf('exp_B'), finalOf('b'))
      await results.put(refOf('exp_C'), timedOut)
      const answers = await results.getMany([refOf('exp_C'), ref, refOf('exp_B')])
      expect(answers.map((record) => record?.kind)).toEqual(['timed-out', undefined, 'final'])
      expect(await results.getMany([])).toEqual([])
    })

    it('keeps accounts apart', async () => {
      const { results } = setUp()
      await results.put(refOf('exp_A', 'ours'), finalOf('ours'))
      expect(await results.get(refOf('exp_A', 'theirs'))).toBeUndefined()
    })

    it('keeps one record when many put at once', async () => {
      const { results } = setUp()
      const texts = Array.from({ length: 20 }, (_, n) => `answer ${n}`)
      const kept = await Promise.all(texts.map((text) => results.put(ref, finalOf(text))))
      const versions = kept.map((record) => record.kind === 'final' && record.snapshot.version)
      expect(new Set(versions).size).toBe(1)
    })

    it('is healthy until closed, and closes twice without complaint', async () => {
      const { store } = setUp()
      expect(await store.healthy()).toBe(true)
      await store.close()
      await store.close()
      expect(await store.healthy()).toBe(false)
    })
  })
}
