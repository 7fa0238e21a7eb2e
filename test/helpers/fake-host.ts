import { onTestFinished } from 'vitest'
import type { Host } from '../../src/run.ts'

export interface FakeHost extends Host {
  readonly printed: string[]
  readonly complaints: string[]
  /** The exit code that was asked for. */
  readonly exitCode: () => number | undefined
  /** As SIGTERM does. */
  readonly stop: () => Promise<void>
  /** As SIGHUP does. `false`: nobody would hear it. */
  readonly hangUp: () => boolean
}

/** A process that a test can look into. What runs in it is stopped with the test. */
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
