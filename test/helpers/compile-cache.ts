import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Names the folder of compiled code, from Vitest's own process to the tests. */
const VARIABLE = 'TEST_COMPILE_CACHE'

/**
 * Prepares a folder of compiled code for the gateways that tests start: each start then takes about half
 * the processor time. Vitest calls this before the first test of a project.
 */
export const setup = (): (() => void) => {
  // Another project of this run has prepared it.
  if (process.env[VARIABLE] !== undefined) return () => {}
  const directory = mkdtempSync(join(tmpdir(), 'gateway-compiled-'))
  process.env[VARIABLE] = directory
  // Node fills the folder when a process ends by itself. Most tests kill theirs.
  const main = join(import.meta.dirname, '../../src/main.ts')
  const env = { ...compileCache(), LEMLIST_API_KEY: 'no-real-key' }
  spawnSync(process.execPath, [main, '--check-config'], { env, stdio: 'ignore' })
  return () => rmSync(directory, { recursive: true, force: true })
}

/** What makes a process use the folder: a part of its environment, empty when there is no folder. */
export const compileCache = (): Readonly<Record<string, string>> => {
  const directory = process.env[VARIABLE]
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory }
}
