import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Why tests cannot use Python's requests here. In CI it is no reason, because CI must have it. */
export const requestsObstacle = async (): Promise<string | undefined> => {
  if (process.env.CI === 'true') return undefined
  const found = await run('python3', ['-c', 'import requests']).catch(() => undefined)
  return found === undefined ? 'no python3 with requests' : undefined
}

/** Runs a Python program with these arguments, and resolves to the lines that it prints. */
export const runPython = async (program: string, ...args: readonly string[]): Promise<string[]> => {
  const env = { PATH: process.env.PATH, NO_PROXY: '*', PYTHONIOENCODING: 'utf-8' }
  const { stdout } = await run('python3', ['-c', program, ...args], { env, timeout: 60_000 })
  return stdout.split('\n').slice(0, -1)
}
