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
