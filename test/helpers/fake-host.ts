import { onTestFinished } from 'vitest'
import type { Host } from '../../src/run.ts'
import { createOutput } from '../../src/telemetry/output.ts'

export interface FakeHost extends Host {
  readonly printed: string[]
  readonly complaints: string[]
  /** The exit code that the program has asked for. */
  readonly exitCode: () => number | undefined
  /** Does what SIGTERM does to a real process. */
  readonly stop: () => Promise<void>
  /** Does what SIGHUP does to a real process. `false`: the program does not listen to it. */
  readonly hangUp: () => boolean
}

/** A stand-in for the process, which a test can inspect. The program in it stops with the test. */
export const fakeHost = ({
  env = {},
  argv = [],
}: {
  env?: Readonly<Record<string, string>>
  argv?: readonly string[]
} = {}): FakeHost => {
  const printed: string[] = []
  const complaints: string[] = []
  let code: number | undefined
  let stop = async () => {}
  let hangUp: (() => void) | undefined
  onTestFinished(() => stop())
  return {
    env,
    argv,
    terminal: false,
    // Its log goes nowhere.
    output: createOutput({
      write: async (chunk) => chunk.length,
      writeNow: (chunk) => chunk.length,
    }),
    print: (text) => void printed.push(text),
    complain: (text) => void complaints.push(text),
    exitWith: (asked) => {
      code = asked
    },
    onStop: (_timeoutMs, _logger, handler) => {
      stop = handler
    },
    onHangup: (handler) => {
      hangUp = handler
    },
    printed,
    complaints,
    exitCode: () => code,
    stop: () => stop(),
    hangUp: () => {
      hangUp?.()
      return hangUp !== undefined
    },
  }
}
