import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createClient, defineScript } from '@redis/client'

export interface RedisOptions {
  /** `redis://` or `rediss://`, which may hold a password. */
  readonly url: string
  /** Stands before every key and channel, so that deployments may share a server. */
  readonly prefix: string
  /** Milliseconds that anything waits for Redis. Default 250. */
  readonly deadlineMs?: number
}

/** Redis did not answer in time. The command may still run: every one of ours may run twice. */
export class RedisLate extends Error {
  override readonly name = 'RedisLate'
  constructor(deadlineMs: number) {
    super(`Redis did not answer within ${deadlineMs} ms`)
  }
}

/** A script by the name of its file. Keys and arguments are strings; times come from Redis. */
const script = (file: string, keys: number) =>
  defineScript({
    NUMBER_OF_KEYS: keys,
    SCRIPT: readFileSync(new URL(file, import.meta.url), 'utf8'),
    parseCommand(parser, names: readonly string[], values: readonly string[]) {
      parser.pushKeys([...names])
      parser.push(...values)
    },
    // Whoever calls it checks what came: the server is shared.
    transformReply: (reply: unknown): unknown => reply,
  })

const PING_MS = 500
/** A server that is stopped is noticed by its silence: no connection of it closes. */
const SILENT_MS = 1_500
const CONNECT_MS = 1_000
const LONGEST_RECONNECT_MS = 1_000

const create = ({ url, prefix }: RedisOptions) =>
  createClient({
    url,
    keyPrefix: `${prefix}:`,
    // What cannot be asked now is answered without Redis, not kept for later.
    disableOfflineQueue: true,
    pingInterval: PING_MS,
    socket: {
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, LONGEST_RECONNECT_MS),
    },
    scripts: {
      putResult: script('./results.lua', 2),
      schedule: script('./schedule.lua', 2),
      takeSlot: script('./budget.lua', 2),
      idempotency: script('./idempotency.lua', 1),
      countReplicas: script('./replicas.lua', 1),
    },
  })

export type RedisClient = ReturnType<typeof create>

export interface Redis {
  readonly commands: RedisClient
  /** Of its own: a connection that listens takes no commands. */
  readonly subscriber: RedisClient
  readonly prefix: string
  /** Rejects with `RedisLate` after the deadline, whatever the client still waits for. */
  within<T>(work: Promise<T>): Promise<T>
  /** Resolves when commands can be sent; rejects after a second. */
  ready(): Promise<void>
  close(): void
}

/** Begins to connect and goes on trying; nobody waits for it. */
export const connectRedis = (options: RedisOptions): Redis => {
  const { prefix, deadlineMs = 250 } = options
  const commands = create(options)
  const subscriber = create(options)
  for (const client of [commands, subscriber]) {
    // What a connection suffers shows at the next command; without a listener it would end the process.
    client.on('error', () => {})
    client.connect().catch(() => {})
  }
  return {
    commands,
    subscriber,
    prefix,
    within: async (work) => {
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => late.reject(new RedisLate(deadlineMs)), deadlineMs)
      try {
        return await Promise.race([work, late.promise])
      } finally {
        clearTimeout(timer)
      }
    },
    ready: async () => {
      if (!commands.isReady)
        await once(commands, 'ready', { signal: AbortSignal.timeout(CONNECT_MS) })
    },
    close: () => {
      for (const client of [commands, subscriber]) client.destroy()
    },
  }
}
