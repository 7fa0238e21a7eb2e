import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tempDirectory } from './process.ts'

/** libfaketime, where Debian puts it. */
const LIBRARY = (() => {
  try {
    const root = '/usr/lib'
    const folder = readdirSync(root).find((name) => name.endsWith('-linux-gnu'))
    if (folder === undefined) return undefined
    const home = join(root, folder, 'faketime')
    return readdirSync(home).includes('libfaketime.so.1')
      ? join(home, 'libfaketime.so.1')
      : undefined
  } catch {
    return undefined
  }
})()

/** For `describe.skipIf`: without libfaketime tests are skipped. In CI, which must have it, they fail. */
export const withoutFaketime = LIBRARY === undefined && process.env.CI !== 'true'

/** The wall clock of processes that get `env`. Their monotonic clock goes on as it is. */
export const fakeClock = () => {
  if (LIBRARY === undefined) throw new Error('libfaketime is not installed')
  const file = join(tempDirectory(), 'clock')
  const set = (seconds: number): void =>
    writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`)
  set(0)
  return {
    /** Moves the clock to so many seconds after the real one. */
    set,
    env: {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  }
}
