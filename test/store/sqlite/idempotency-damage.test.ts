import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { openSqliteFile } from '../../../src/store/sqlite/file.ts'
import { createSqliteIdempotency } from '../../../src/store/sqlite/idempotency.ts'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { createCommits } from '../../../src/store/sqlite/transaction.ts'
import { createRandom } from '../../helpers/random.ts'
import { closedAfterTest, createClock, tempDirectory } from '../fixtures.ts'
import { HOUR, LIMITS, START, VISIBILITY_MS } from '../records.ts'

const until = { inProgressUntil: START + 60_000, forgetAt: START + 24 * HOUR }
const keyOf = (n: number): string => `key_${String(n).padStart(40, '0')}`
const answerOf = (key: string): string => `answer of ${key}`

const setUp = () => {
  const path = join(tempDirectory(), 'gateway.sqlite')
  const clock = createClock()
  const storeFailed = vi.fn<(operation: string, error: unknown) => void>()
  const onCorrupt = vi.fn<(movedTo: string) => void>()
  const options = { path, limits: LIMITS, visibilityMs: VISIBILITY_MS, onCorrupt, storeFailed }
  const open = () => closedAfterTest(createSqliteStore({ ...options, now: clock.now }))
  /** Fills the file with so many keys, finishes those with an even number, and closes the store. */
  const fill = async (keys: number) => {
    const { idempotency, close } = open()
    for (let n = 0; n < keys; n++) {
      await idempotency.begin(keyOf(n), until)
      if (n % 2 === 0) await idempotency.finish(keyOf(n), Buffer.from(answerOf(keyOf(n))))
    }
    await close()
  }
  /** Changes the file without the store. */
  const execute = (sql: string) => {
    const db = new DatabaseSync(path)
    db.exec(sql)
    db.close()
  }
  /** Opens only this port, on a database that the test can use as well. */
  const openFile = () => {
    const { db } = openSqliteFile({ path, now: clock.now })
    onTestFinished(() => {
      if (db.isOpen) db.close()
    })
    return {
      db,
      idempotency: createSqliteIdempotency(db, {
        now: clock.now,
        storeFailed,
        ...createCommits(db),
      }),
    }
  }
  const told = () => storeFailed.mock.calls.map(([operation]) => operation)
  return { path, clock, onCorrupt, storeFailed, open, openFile, fill, execute, told }
}

const CHANGES: readonly (readonly [string, string])[] = [
  ['was finished with another answer', `answer = cast(replace(answer, 'of', 'if') as blob)`],
  ['lost its answer', 'answer = null'],
  ['has an answer too many', `record = replace(record, 'finished', 'given-up')`],
  ['is no JSON any more', 'record = substr(record, 2)'],
  ['was to be forgotten long ago', 'forget_at = 1'],
  ['would never be forgotten', 'forget_at = forget_at * 2'],
  ['lost its checksum', `checksum = x''`],
  ['has another key in the copy', `copy = replace(copy, 'key', 'kez')`],
]

describe('damaged idempotency key of a sqlite store', () => {
  it.each([...CHANGES, ['lies under another key', `key = replace(key, 'key', 'kez')`] as const])(
    'that %s is counted and unknown, and the others are as they were',
    async (_, change) => {
      const { open, fill, execute, told } = setUp()
      await fill(2)
      execute(`update idempotency set ${change} where key = '${keyOf(0)}'`)
      const { idempotency, close } = open()
      expect(told()).toEqual(['corrupt-record'])
      expect(await idempotency.begin(keyOf(0), until)).toEqual({ state: 'unknown' })
      expect(await idempotency.begin(keyOf(1), until)).toEqual({ state: 'in-progress' })
      await close()
      expect(await open().idempotency.begin(keyOf(0), until)).toEqual({ state: 'unknown' })
      expect(told()).toHaveLength(1)
    },
  )

  it.each(CHANGES)('that %s while the store is open is counted and unknown', async (_, change) => {
    const { openFile, told } = setUp()
    const { db, idempotency } = openFile()
    await idempotency.begin(keyOf(0), until)
    await idempotency.finish(keyOf(0), Buffer.from(answerOf(keyOf(0))))
    db.exec(`update idempotency set ${change}`)
    expect(await idempotency.begin(keyOf(0), until)).toEqual({ state: 'unknown' })
    expect(await idempotency.begin(keyOf(0), until)).toEqual({ state: 'unknown' })
    expect(told()).toEqual(['corrupt-record'])
  })

  it('costs no other key its answer, even when it names that other key', async () => {
    const { open, fill, execute, told } = setUp()
    await fill(2)
    execute(`update idempotency set copy = '${keyOf(0)}' where key = '${keyOf(1)}'`)
    const { idempotency } = open()
    expect(await idempotency.begin(keyOf(0), until)).toMatchObject({ state: 'finished' })
    expect(await idempotency.begin(keyOf(1), until)).toEqual({ state: 'unknown' })
    expect(told()).toEqual(['corrupt-record'])
  })

  it('is never set free, since it may have been finished', async () => {
    const { openFile } = setUp()
    const { db, idempotency } = openFile()
    await idempotency.begin('key', until)
    db.exec(`update idempotency set checksum = x''`)
    await idempotency.forget('key')
    expect(await idempotency.begin('key', until)).toEqual({ state: 'unknown' })
  })

  it('takes the answer of the work that was begun', async () => {
    const { openFile } = setUp()
    const { db, idempotency } = openFile()
    await idempotency.begin('key', until)
    db.exec(`update idempotency set checksum = x''`)
    await idempotency.finish('key', Buffer.from('late'))
    expect(await idempotency.begin('key', until)).toMatchObject({ state: 'finished' })
  })

  it('is forgotten 24 h after the damage was found', async () => {
    const { clock, open, fill, execute } = setUp()
    await fill(1)
    execute(`update idempotency set forget_at = forget_at * 2`)
    clock.advance(HOUR)
    const { idempotency } = open()
    clock.advance(24 * HOUR - 1)
    expect(await idempotency.begin(keyOf(0), until)).toEqual({ state: 'unknown' })
    clock.advance(1)
    expect(await idempotency.begin(keyOf(0), until)).toEqual({ state: 'yours' })
  })

  it('is not swept away too early because of a wrong date', async () => {
    const { openFile, told } = setUp()
    const { db, idempotency } = openFile()
    await idempotency.begin('key', until)
    db.exec('update idempotency set forget_at = 1')
    idempotency.sweep()
    idempotency.sweep()
    expect(told()).toEqual(['corrupt-record'])
    expect(await idempotency.begin('key', until)).toEqual({ state: 'unknown' })
  })

  it('is unknown, whichever bit of it flips', async () => {
    const { path, open, fill, told } = setUp()
    await fill(1)
    const sound = readFileSync(path)
    const at = sound.indexOf(keyOf(0) + keyOf(0))
    const end = sound.indexOf(answerOf(keyOf(0))) + answerOf(keyOf(0)).length + 16
    expect(at).toBeGreaterThan(0)
    expect(end - at).toBeGreaterThan(150)
    for (let n = at; n < end; n++) {
      const bytes = Buffer.from(sound)
      bytes.writeUInt8(bytes.readUInt8(n) ^ (1 << (n % 8)), n)
      writeFileSync(path, bytes)
      const { idempotency, close } = open()
      expect(await idempotency.begin(keyOf(0), until)).toEqual({ state: 'unknown' })
      await close()
    }
    expect(told()).toHaveLength(end - at)
  })

  // In parts, because together they would not fit into the time of one test on a busy machine.
  it.each([1, 2, 3, 4])(
    'is never given out again, wherever in the tables a bit flips, part %i',
    async (part) => {
      const KEYS = 60
      const { path, open, fill, told, onCorrupt } = setUp()
      await fill(KEYS)
      const sound = readFileSync(path)
      const { next: random } = createRandom(part * 20_260_104)
      let moved = 0
      let kept = 0
      for (let round = 0; round < 50; round++) {
        const bytes = Buffer.from(sound)
        // The pages with the header and the schema are left out: damage.test.ts has them.
        const at = 4096 + Math.floor(random() * (bytes.length - 4096))
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at)
        writeFileSync(path, bytes)
        const { idempotency, close } = open()
        // A file that is no longer a database is moved aside with its keys, and the operator is told.
        const movedAside = onCorrupt.mock.calls.length > moved
        moved = onCorrupt.mock.calls.length
        for (let n = 0; n < KEYS && !movedAside; n++) {
          const begun = await idempotency.begin(keyOf(n), until)
          if (begun.state === 'unknown') continue
          kept++
          expect(begun.state).toBe(n % 2 === 0 ? 'finished' : 'in-progress')
          if (begun.state !== 'finished') continue
          expect(Buffer.from(begun.answer).toString()).toBe(answerOf(keyOf(n)))
        }
        await close()
      }
      expect(kept).toBeGreaterThan(25 * (KEYS - 1))
      expect(moved).toBeLessThan(25)
      expect(told().length).toBeGreaterThan(5)
    },
  )

  it('on a page that cannot be read is counted and never given out again', async () => {
    const KEYS = 400
    const { path, openFile, told } = setUp()
    const large = new Uint8Array(16_000)
    const filled = openFile()
    for (let n = 0; n < KEYS; n++) {
      await filled.idempotency.begin(keyOf(n), until)
      await filled.idempotency.finish(keyOf(n), large)
    }
    filled.db.close()
    const { idempotency } = openFile()
    const file = openSync(path, 'r+')
    for (let page = 20; page < 1600; page += 40)
      writeSync(file, Buffer.alloc(4096, 9), 0, 4096, page * 4096)
    closeSync(file)

    const states: string[] = []
    for (let n = 0; n < KEYS; n++) states.push((await idempotency.begin(keyOf(n), until)).state)
    expect(new Set(states)).toEqual(new Set(['finished', 'unknown']))
    expect(told().length).toBeGreaterThan(0)
  })
})
