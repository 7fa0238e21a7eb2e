import { type GatewayProcess, spawnGateway } from '../process.ts'
import type { FaultProxy } from './fault-proxy.ts'

/** One gateway of a fleet: a real process, which may die and come back. */
export interface Replica {
  readonly name: string
  /** Between it and Redis. */
  readonly redis: FaultProxy
  readonly url: () => string
  readonly output: () => string
  /** Whether a load balancer sends anybody there. */
  isUp(): boolean
  /** kill -9: resolves once it is gone. */
  kill(): Promise<void>
  /** SIGTERM: no longer up at once; resolves with its exit code once it is gone. */
  stop(): Promise<number | string>
  /** A new process after `kill` or `stop`. */
  start(): Promise<void>
  /** It stands still, its connections stay. */
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
