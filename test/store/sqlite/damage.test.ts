import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, vi } from 'vitest'
import type { Store } from '../../../src/exports/ports.ts'
import { StoreRefused } from '../../../src/store/sqlite/errors.ts'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { createRandom } from '../../helpers/random.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import { finalOf, LIMITS, refOf, START, timedOut, VISIBILITY_MS } from '../records.ts'

const RECORDS = 60
const textOf = (n: number): string => `answer ${n} ${'x'.repeat(n * 10)}`

const setUp = () => {
  const directory = tempDirectory()
  const path = join(directory, 'gateway.sqlite')
  const onCorrupt = vi.fn<(movedTo: string) => void>()
  const storeFailed = vi.fn<(operation: string, error: unknown) => void>()
  const open = () =>
    createSqliteStore({
      path,
      limits: LIMITS,
      visibilityMs: VISIBILITY_MS,
      now: () => START,
      onCorrupt,
      storeFailed,
    })
  return { directory, path, onCorrupt, storeFailed, open }
}

const fill = async (store: Store): Promise<void> => {
  for (let n = 0; n < RECORDS; n++) {
    await store.results.put(refOf(`exp_${n}`), n % 10 === 9 ? timedOut : finalOf(textOf(n)))
  }
  await store.close()
}

/** Counts the records in the store. @throws at a record that was never put */
const countRight = async (store: Store): Promise<number> => {
  let right = 0
  for (let n = 0; n < RECORDS; n++) {
    const record = await store.results.get(refOf(`exp_${n}`))
    if (record === undefined) continue
    if (record.kind === 'final') {
      const { body, ...rest } = record.snapshot
      expect(Buffer.from(body).toString()).toBe(textOf(n))
      const { body: _, ...wanted } = finalOf(textOf(n)).snapshot
      expect({ ...record, snapshot: rest }).toEqual({ ...finalOf(textOf(n)), snapshot: wanted })
    } else expect(record).toEqual(timedOut)
    right++
  }
  return right
}

describe('damaged sqlite file', () => {
  it('of garbage is moved aside, the path is told, and a new store starts', async () => {
    const { directory, path, onCorrupt, open } = setUp()
    writeFileSync(path, Buffer.alloc(20_000, 7))
    const store = closedAfterTest(open())
    const movedTo = `${path}.corrupt-2026-01-02T03-04-05.678Z`
    expect(onCorrupt.mock.calls).toEqual([[movedTo]])
    expect(readFileSync(movedTo).equals(Buffer.alloc(20_000, 7))).toBe(true)
    await store.results.put(refOf('exp_A'), finalOf('a'))
    expect(await store.results.get(refOf('exp_A'))).toMatchObject({ kind: 'final' })
    expect(readdirSync(directory)).toContain(basename(movedTo))
  })

  it('is moved together with the files that belong to it', () => {
    const { path, directory, open } = setUp()
    writeFileSync(path, Buffer.alloc(20_000, 7))
    writeFileSync(`${path}-shm`, 'an index of what?')
    closedAfterTest(open())
    expect(readdirSync(directory).filter((name) => name.includes('.corrupt-'))).toHaveLength(2)
  })

  it.each([50, 99, 100, 4096, 5000, 20_000])('cut to %i bytes is moved aside', async (length) => {
    const { path, onCorrupt, open } = setUp()
    await fill(open())
    truncateSync(path, length)
    const store = closedAfterTest(open())
    expect(onCorrupt).toHaveBeenCalledOnce()
    expect(await countRight(store)).toBe(0)
  })

  it('with a flipped bit in a body has no such record, counts the damage, and takes it again', async () => {
    const { path, onCorrupt, storeFailed, open } = setUp()
    await fill(open())
    const bytes = readFileSync(path)
    const at = bytes.indexOf(textOf(30))
    expect(at).toBeGreaterThan(0)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    writeFileSync(path, bytes)

    const store = closedAfterTest(open())
    expect(await store.results.get(refOf('exp_30'))).toBeUndefined()
    expect(storeFailed.mock.calls.map(([operation]) => operation)).toEqual(['corrupt-record'])
    expect(onCorrupt).not.toHaveBeenCalled()
    expect(await countRight(store)).toBe(RECORDS - 1)
    await store.results.put(refOf('exp_30'), finalOf(textOf(30)))
    expect(await countRight(store)).toBe(RECORDS)
  })

  it('does not answer with the record of another export', async () => {
    const { path, storeFailed, open } = setUp()
    await fill(open())
    const db = new DatabaseSync(path)
    db.exec(`delete from results where export like '%/exp_8'`)
    db.exec(
      `update results set export = replace(export, 'exp_7', 'exp_8') where export like '%/exp_7'`,
    )
    db.close()
    const store = closedAfterTest(open())
    expect(await store.results.get(refOf('exp_8'))).toBeUndefined()
    expect(storeFailed).toHaveBeenCalledOnce()
  })

  it('with a page of garbage is moved aside when it is opened, and not later', async () => {
    const { path, onCorrupt, open } = setUp()
    await fill(open())
    const bytes = readFileSync(path)
    bytes.fill(9, bytes.length - 4096)
    writeFileSync(path, bytes)
    closedAfterTest(open())
    expect(onCorrupt).toHaveBeenCalledOnce()
  })

  it('with tables that the store did not make is moved aside', async () => {
    const { path, onCorrupt, open } = setUp()
    await fill(open())
    const bytes = readFileSync(path)
    const at = bytes.indexOf('record text')
    expect(at).toBeGreaterThan(0)
    bytes.write('recxrd', at)
    writeFileSync(path, bytes)
    closedAfterTest(open())
    expect(onCorrupt).toHaveBeenCalledOnce()
  })

  it('damaged while it is open gives misses and right records, and counts the misses', async () => {
    const { path, storeFailed, open } = setUp()
    // These are more records than SQLite keeps in memory, so that it must read the file again.
    const large = finalOf('y'.repeat(16_000))
    const filled = open()
    for (let n = 0; n < 400; n++) await filled.results.put(refOf(`exp_${n}`), large)
    await filled.close()
    const store = closedAfterTest(open())
    const file = openSync(path, 'r+')
    for (let page = 20; page < 1600; page += 40)
      writeSync(file, Buffer.alloc(4096, 9), 0, 4096, page * 4096)
    closeSync(file)

    let right = 0
    for (let n = 0; n < 400; n++) {
      const record = await store.results.get(refOf(`exp_${n}`))
      if (record === undefined) continue
      right++
      expect(record).toMatchObject({ snapshot: { version: large.snapshot.version } })
      if (record.kind === 'final') {
        expect(Buffer.compare(record.snapshot.body, large.snapshot.body)).toBe(0)
      }
    }
    expect(right).toBeLessThan(400)
    expect(storeFailed).toHaveBeenCalledTimes(400 - right)
  })

  // In parts, because together they would not fit into the time of one test on a busy machine.
  it.each([1, 2, 3, 4])('never gives a wrong record after random flips, part %i', async (part) => {
    const { path, onCorrupt, open } = setUp()
    await fill(open())
    const sound = readFileSync(path)
    const { next: random } = createRandom(part * 20_260_102)
    let refused = 0
    let missed = 0
    for (let round = 0; round < 75; round++) {
      const bytes = Buffer.from(sound)
      for (let flips = 1 + Math.floor(random() * 3); flips > 0; flips--) {
        const at = Math.floor(random() * bytes.length)
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at)
      }
      writeFileSync(path, bytes)
      try {
        const store = open()
        const right = await countRight(store)
        if (right < RECORDS) missed++
        await store.close()
      } catch (error) {
        // A bit has flipped in the few bytes that name the program and the version of the file. The
        // store then refuses the file and says why.
        if (!(error instanceof StoreRefused)) throw error
        refused++
      }
    }
    expect(refused).toBeLessThan(2)
    expect(missed).toBeGreaterThan(13)
    expect(onCorrupt.mock.calls.length).toBeGreaterThan(0)
  })
})
