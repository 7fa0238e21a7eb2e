import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StoreInUse } from '../../../src/store/sqlite/errors.ts'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import { finalOf, HOUR, LIMITS, refOf, START, VISIBILITY_MS } from '../records.ts'

const script = join(import.meta.dirname, 'child.ts')

const startChild = (path: string, from = 0) => {
  const child = spawn(process.execPath, [script, path, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return { child, lines: createInterface({ input: child.stdout }) }
}

const killed = async (child: ChildProcess): Promise<void> => {
  const gone = once(child, 'close')
  child.kill('SIGKILL')
  await gone
}

const openStore = (path: string, now = START) =>
  closedAfterTest(
    createSqliteStore({ path, limits: LIMITS, visibilityMs: VISIBILITY_MS, now: () => now }),
  )

describe('sqlite store and processes', () => {
  it('refuses a second process on its file, with an error that names the file and what to do', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    const store = openStore(path)
    await store.results.put(refOf('exp_A'), finalOf('ours'))
    const { lines } = startChild(path)
    const [line] = await once(lines, 'line')
    expect(line).toMatch(/^StoreInUse: /)
    expect(line).toContain(path)
    expect(line).toContain('STORE_URL')
    expect(await store.results.get(refOf('exp_A'))).toMatchObject({ kind: 'final' })
  })

  it('cannot open a file that another process has, and can once that process was killed', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    const { child, lines } = startChild(path)
    await once(lines, 'line')
    expect(() => openStore(path)).toThrow(StoreInUse)
    await killed(child)
    expect(await openStore(path).healthy()).toBe(true)
  })

  it('keeps every final and every tracked export that it confirmed before it was killed', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    const promised: number[] = []
    for (let round = 0; round < 5; round++) {
      const { child, lines } = startChild(path, round * 1_000_000)
      const enough = Promise.withResolvers<void>()
      let answers = 0
      lines.on('line', (line: string) => {
        if (line === 'open') return
        promised.push(Number(line))
        if (++answers === 20 + round) enough.resolve()
      })
      await enough.promise
      await killed(child)

      const store = openStore(path)
      for (const n of promised) {
        const record = await store.results.get(refOf(`exp_${n}`))
        if (record?.kind !== 'final') throw new Error(`final ${n} was promised and is lost`)
        expect(Buffer.from(record.snapshot.body).toString()).toBe(`answer ${n}`)
        // After the restart the export is due at once, whatever the killed process had planned.
        const [tracked] = await store.schedule('default').find([refOf(`exp_${n}`)])
        expect(tracked).toMatchObject({ origin: 'pending', firstSeenAt: START, dueAt: START })
      }
      await store.close()
    }
    expect(promised.length).toBeGreaterThanOrEqual(5 * 20)
  })

  it('does not give out again a key that was begun before it was killed', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    const { child, lines } = startChild(path)
    const promised: number[] = []
    const enough = Promise.withResolvers<void>()
    lines.on('line', (line: string) => {
      if (line !== 'open') promised.push(Number(line))
      if (promised.length === 20) enough.resolve()
    })
    await enough.promise
    await killed(child)

    const until = { inProgressUntil: START + 9 * HOUR, forgetAt: START + 24 * HOUR }
    for (const [at, neverFinished] of [
      [START, 'in-progress'],
      [START + 1000, 'unknown'],
    ] as const) {
      const { idempotency, close } = openStore(path, at)
      for (const n of promised) {
        const begun = await idempotency.begin(`key_${n}`, until)
        expect(begun.state).toBe(n % 2 === 0 ? 'finished' : neverFinished)
        if (begun.state !== 'finished') continue
        expect(Buffer.from(begun.answer).toString()).toBe(`answer ${n}`)
      }
      await close()
    }
  })
})
