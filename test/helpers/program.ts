import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { compileCache } from './compile-cache.ts'
import { tempDirectory } from './process.ts'

/** An entry file of the project that runs as a process of its own. A test can see how it ends. */
export interface Program {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  /** Resolves to the first match in its output. Rejects when it ends without one. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves to its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  readonly cwd?: string
}

const SRC = join(import.meta.dirname, '../../src')

/** Starts a file of `src/`, with these variables and no others. It ends with the test. */
export const startProgram = (
  file: 'main.ts' | 'sandbox/main.ts' | 'health-check.ts',
  // Not in the folder of the project: the gateway would read a developer's `.env` there.
  { env = {}, args = [], cwd = tempDirectory() }: ProgramOptions = {},
): Program => {
  const child = spawn(process.execPath, [join(SRC, file), ...args], {
    env: { PATH: process.env.PATH, ...compileCache(), ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
  let out = ''
  let err = ''
  const waiting = new Set<() => void>()
  const tell = () => {
    for (const look of waiting) look()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    tell()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
    tell()
  })
  return {
    child,
    out: () => out,
    err: () => err,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(out) ?? pattern.exec(err)
          if (match === null) return
          waiting.delete(look)
          resolve(match)
        }
        waiting.add(look)
        look()
        void closed.then(() => reject(new Error(`never said ${pattern}, but:\n${out}\n${err}`)))
      }),
    ended: closed.then(([code, signal]) => code ?? signal),
  }
}
