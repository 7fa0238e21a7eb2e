import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Names the folder of compiled code, from Vitest's own process to the tests. */
const VARIABLE = 'TEST_COMPILE_CACHE'
const SRC = join(import.meta.dirname, '../../src')
/** Nobody listens on this port. */
const ABSENT = 'redis://127.0.0.1:1'

/**
 * Prepares a folder of compiled code for the gateways that tests start: each start then takes about half
 * the processor time. Vitest calls this before the first test of a project.
 */
export const setup = async (): Promise<() => void> => {
  // Another project of this run has prepared it.
  if (process.env[VARIABLE] !== undefined) return () => {}
  const directory = mkdtempSync(join(tmpdir(), 'gateway-compiled-'))
  process.env[VARIABLE] = directory
  await Promise.all([
    run('main.ts', ['--check-config'], directory),
    // The sandbox loads the whole gateway. This Redis is never there, but its client is loaded.
    run('sandbox/main.ts', [], directory),
    run('health-check.ts', [], directory),
  ])
  return () => rmSync(directory, { recursive: true, force: true })
}

/** Runs a file of `src/` until it prints something or ends: Node fills the folder at an orderly end. */
const run = async (file: string, args: readonly string[], cwd: string): Promise<void> => {
  const child = spawn(process.execPath, [join(SRC, file), ...args], {
    env: { ...compileCache(), LEMLIST_API_KEY: 'no-real-key', PORT: '0', STORE_URL: ABSENT },
    // Not in the folder of the project: the gateway would read a developer's `.env` there.
    cwd,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  child.stdout.once('data', () => child.kill('SIGTERM'))
  await once(child, 'close')
}

/** What makes a process use the folder: a part of its environment, empty when there is no folder. */
export const compileCache = (): Readonly<Record<string, string>> => {
  const directory = process.env[VARIABLE]
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory }
}
