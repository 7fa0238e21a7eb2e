import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import { START } from './records.ts'

export interface Clock {
  readonly now: () => number
  advance(ms: number): void
}

/** A clock that moves only when the test moves it. */
export const createClock = (start = START): Clock => {
  let time = start
  return {
    now: () => time,
    advance(ms) {
      time += ms
    },
  }
}

/** Makes a directory for this test alone. It is removed after the test. */
export const tempDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'store-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Closes the store after the test. The test may close it earlier. */
export const closedAfterTest = (store: Store): Store => {
  onTestFinished(() => store.close())
  return store
}
