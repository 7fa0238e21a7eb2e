import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, vi } from 'vitest'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { createRandom } from '../../helpers/random.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import { LIMITS, refOf, START, trackingOf, VISIBILITY_MS } from '../records.ts'
import { findOne, idsOf, roomFor } from '../schedule-fixtures.ts'

const setUp = () => {
  const path = join(tempDirectory(), 'gateway.sqlite')
  const storeFailed = vi.fn<(operation: string, error: unknown) => void>()
  const onCorrupt = vi.fn<(movedTo: string) => void>()
  const options = { path, limits: LIMITS, visibilityMs: VISIBILITY_MS, onCorrupt, storeFailed }
  const open = () => closedAfterTest(createSqliteStore({ ...options, now: () => START }))
  /** Tracks these exports and closes the store. */
  const fill = async (...ids: string[]) => {
    const store = open()
    for (const id of ids) await store.schedule('default').track([trackingOf(id)])
    await store.close()
  }
  /** Changes the file without the store. */
  const execute = (sql: string) => {
    const db = new DatabaseSync(path)
    db.exec(sql)
    db.close()
  }
  const told = () => storeFailed.mock.calls.map(([operation]) => operation)
  return { path, onCorrupt, storeFailed, open, fill, execute, told }
}

describe('damaged row in the schedule of a sqlite store', () => {
  it.each([
    ['names another export', `record = replace(record, 'exp_A', 'exp_Z')`],
    ['lies under the key of another', `export = replace(export, 'exp_A', 'exp_Z')`],
    ['is no JSON any more', `record = substr(record, 2)`],
    ['was seen at another time', `record = replace(record, '"firstSeenAt":1', '"firstSeenAt":2')`],
    ['has another origin', `record = replace(record, 'pending', 'started')`],
    ['lost its checksum', `checksum = x''`],
  ])('that %s is dropped and counted, and the others are claimed', async (_, change) => {
    const { open, fill, execute, told } = setUp()
    await fill('exp_A', 'exp_B')
    execute(`update followed set ${change} where export like '%/exp_A'`)
    const schedule = open().schedule('default')
    expect(idsOf((await schedule.claim(START, roomFor(10))).claims)).toEqual(['exp_B'])
    expect(told()).toEqual(['corrupt-record'])
    expect((await schedule.claim(START, roomFor(10))).nextDueAt).toBe(START + VISIBILITY_MS)
    expect(told()).toHaveLength(1)
  })

  it('is replaced by a new one when the export is seen pending again', async () => {
    const { open, fill, execute, told } = setUp()
    await fill('exp_A')
    execute(`update followed set record = replace(record, 'pending', 'watched')`)
    const schedule = open().schedule('default')
    const next = trackingOf('exp_A', { firstSeenAt: START + 5 })
    await schedule.track([next])
    expect(told()).toEqual(['corrupt-record'])
    expect(await findOne(schedule, 'exp_A')).toEqual({ ...next, watched: false })
  })

  it('never makes a wrong claim, whichever bit of it flips', async () => {
    const { path, open, fill, told } = setUp()
    await fill('exp_A')
    const sound = readFileSync(path)
    const at = sound.indexOf('default/cam_A1/exp_A')
    const end = sound.indexOf('}', sound.indexOf('"firstSeenAt"', at))
    expect(end - at).toBeGreaterThan(100)
    let claimed = 0
    for (let n = at; n < end; n += 2) {
      const bytes = Buffer.from(sound)
      bytes.writeUInt8(bytes.readUInt8(n) ^ (1 << (n % 8)), n)
      writeFileSync(path, bytes)
      const store = open()
      claimed += (await store.schedule('default').claim(START * 2, roomFor(10))).claims.length
      await store.close()
    }
    expect(claimed).toBe(0)
    expect(told().length).toBeGreaterThan(50)
  })

  // In parts, because together they would not fit into the time of one test on a busy machine.
  it.each([1, 2, 3, 4])(
    'costs only its own export, wherever in the tables a bit flips, part %i',
    async (part) => {
      const { path, open, fill, told, onCorrupt } = setUp()
      const ids = Array.from({ length: 40 }, (_, n) => `exp_${n}`)
      await fill(...ids)
      const sound = readFileSync(path)
      const { next: random } = createRandom(part * 20_260_103)
      let whole = 0
      let moved = 0
      for (let round = 0; round < 50; round++) {
        const bytes = Buffer.from(sound)
        // The pages with the header and the schema are left out: damage.test.ts has them.
        const at = 4096 + Math.floor(random() * (bytes.length - 4096))
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at)
        writeFileSync(path, bytes)
        const { schedule, close } = open()
        const { claims, nextDueAt } = await schedule('default').claim(START, roomFor(1000))
        for (const { ref, origin, firstSeenAt, dueAt } of claims) {
          expect(ref).toEqual(refOf(ref.exportId))
          expect([origin, firstSeenAt, dueAt]).toEqual(['pending', START, START])
        }
        // With an earlier time the tracker, which waits for it, would be woken again and again.
        expect(nextDueAt).toBe(claims.length === 0 ? undefined : START + VISIBILITY_MS)
        expect(new Set(idsOf(claims)).size).toBe(claims.length)
        const movedAside = onCorrupt.mock.calls.length > moved
        if (!movedAside) expect(claims.length).toBeGreaterThanOrEqual(ids.length - 1)
        moved = onCorrupt.mock.calls.length
        if (claims.length === ids.length) whole++
        await close()
      }
      expect(whole).toBeGreaterThan(5)
      expect(told().length).toBeGreaterThan(5)
    },
  )
})
