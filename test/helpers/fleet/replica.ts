import { setTimeout as delay } from 'node:timers/promises'
import { type GatewayProcess, spawnGateway } from '../process.ts'
import type { FaultProxy } from './fault-proxy.ts'

/** One gateway of a fleet. It is a real process, which can be ended and started again. */
export interface Replica {
  readonly name: string
  /** The proxy between this replica and Redis. */
  readonly redis: FaultProxy
  readonly url: () => string
  readonly output: () => string
  /** Whether a load balancer would send clients to it. */
  isUp(): boolean
  /** Ends it by SIGKILL. Resolves when the process has ended. */
  kill(): Promise<void>
  /**
   * Ends it by SIGTERM. It no longer counts as up from this call on. Resolves with its exit code
   * when the process has ended.
   */
  stop(): Promise<number | string>
  /** Starts a new process after `kill` or `stop`. */
  start(): Promise<void>
  /** Stops the process from running, by SIGSTOP. Its connections stay open. */
  pause(): void
  resume(): void
}

export const startReplica = async (
  name: string,
  redis: FaultProxy,
  env: Readonly<Record<string, string>>,
): Promise<Replica> => {
  let process: GatewayProcess = await spawnGateway(env)
  let up = true
  return {
    name,
    redis,
    url: () => process.url,
    output: () => process.output(),
    isUp: () => up,
    kill: async () => {
      up = false
      await process.end('SIGKILL')
    },
    stop: () => {
      up = false
      return process.end('SIGTERM')
    },
    start: async () => {
      process = await spawnGateway(env)
      up = true
    },
    pause: () => void process.child.kill('SIGSTOP'),
    resume: () => void process.child.kill('SIGCONT'),
  }
}

/** The window after a switch and a little more: so long a replica has only few calls, milliseconds. */
const SWITCH_MS = 2_500

/**
 * Waits when a replica had no Redis at its start. It has made calls that Redis has not counted, and it
 * has only few calls now. The record of a fleet knows nothing of that, so the fleet begins afterwards.
 */
export const countedAgain = async (replicas: readonly Replica[]): Promise<void> => {
  if (replicas.some(({ output }) => output().includes('Redis is away'))) await delay(SWITCH_MS)
}
