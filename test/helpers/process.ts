import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { compileCache } from './compile-cache.ts'

export interface GatewayProcess {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly child: ChildProcess
  /** Everything that the process has written to stdout and stderr so far. */
  readonly output: () => string
  /** Sends a signal. Resolves at the end to the exit code, or to the signal that ended it. */
  readonly end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<number | string>
}

const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** Makes a directory for this test alone. It is removed after the test. */
export const tempDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'gateway-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/**
 * Starts a gateway as a process of its own on a free port, with these variables and no others. It
 * ends with the test.
 */
export const spawnGateway = async (
  env: Readonly<Record<string, string>>,
): Promise<GatewayProcess> => {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...compileCache(), PORT: '0', ...env },
    // Not in the folder of the project: the gateway would read a developer's `.env` there.
    cwd: tempDirectory(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
  let output = ''
  let isListening = false
  const listening = Promise.withResolvers<string>()
  const read = (chunk: Buffer) => {
    output += chunk.toString()
    // To look through a long log again and again takes long.
    if (isListening) return
    const [, url] = /"url":"(http:[^"]+)"[^\n]*"msg":"listening"/.exec(output) ?? []
    if (url === undefined) return
    isListening = true
    listening.resolve(url)
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  child.once('close', () => listening.reject(new Error(`the gateway did not start:\n${output}`)))
  const end: GatewayProcess['end'] = async (signal) => {
    child.kill(signal)
    const [code, endedBy] = await closed
    return code ?? endedBy
  }
  return { url: await listening.promise, child, output: () => output, end }
}
