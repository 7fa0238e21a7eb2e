import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../src/exports/export.ts'
import type { Store, Update, Updates } from '../../src/exports/ports.ts'
import { closedAfterTest } from './fixtures.ts'
import { finalOf, refOf } from './records.ts'

const trouble = (detail: string): Update => ({ kind: 'trouble', code: 'upstream-timeout', detail })

/** What every `Updates` promises within one process. */
export const describeUpdates = (name: string, open: () => Store): void => {
  const setUp = () => {
    const { updates } = closedAfterTest(open())
    return { updates, heard: listenTo(updates) }
  }

  describe(`updates of ${name}`, () => {
    it('tells the listener what is published in its own process', async () => {
      const { updates, heard } = setUp()
      await updates.publish(refOf('exp_A'), trouble('slow'))
      expect(await heard.next()).toEqual([refOf('exp_A'), trouble('slow')])
    })

    it('tells a snapshot with every byte of its body', async () => {
      const { updates, heard } = setUp()
      const { snapshot } = finalOf('{"a":"\\u0000 é 😀"}')
      await updates.publish(refOf('exp_A'), { kind: 'status', snapshot })
      const [, update] = await heard.next()
      if (update.kind !== 'status') throw new Error('told something else')
      const { body, ...rest } = update.snapshot
      expect(Buffer.compare(body, snapshot.body)).toBe(0)
      expect({ ...rest, body: snapshot.body }).toEqual(snapshot)
    })

    it('tells that an export is gone', async () => {
      const { updates, heard } = setUp()
      const gone = { kind: 'gone', code: 'export-timed-out', detail: 'it was given up' } as const
      await updates.publish(refOf('exp_A', 'ours'), gone)
      expect(await heard.next()).toEqual([refOf('exp_A', 'ours'), gone])
    })

    it('tells everything in the order of publishing', async () => {
      const { updates, heard } = setUp()
      const details = Array.from({ length: 50 }, (_, n) => `trouble ${n}`)
      for (const detail of details) await updates.publish(refOf('exp_A'), trouble(detail))
      for (const detail of details) expect((await heard.next())[1]).toEqual(trouble(detail))
    })

    it('accepts an update that nobody listens to', async () => {
      const { updates } = closedAfterTest(open())
      await updates.publish(refOf('exp_A'), trouble('unheard'))
      const heard = listenTo(updates)
      await updates.publish(refOf('exp_A'), trouble('heard'))
      expect((await heard.next())[1]).toEqual(trouble('heard'))
    })

    it('has one listener, the latest', async () => {
      const { updates, heard } = setUp()
      const latest = listenTo(updates)
      await updates.publish(refOf('exp_A'), trouble('slow'))
      await latest.next()
      expect(heard.waiting()).toBe(0)
    })
  })
}

type Told = [ExportRef, Update]

/**
 * Returns what the listener was told, one by one. An update may come from another process, so
 * `next` waits for it.
 */
const listenTo = (updates: Updates) => {
  const told: Told[] = []
  let arrived = Promise.withResolvers<void>()
  updates.listen((ref, update) => {
    told.push([ref, update])
    arrived.resolve()
  })
  return {
    waiting: () => told.length,
    async next(): Promise<Told> {
      for (;;) {
        const first = told.shift()
        if (first !== undefined) return first
        arrived = Promise.withResolvers<void>()
        await arrived.promise
      }
    },
  }
}
