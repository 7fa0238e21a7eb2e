import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createClient, defineScript } from '@redis/client'
import type { Observer } from '../../exports/ports.ts'

export interface RedisOptions {
  /** `redis://` or `rediss://`, which may hold a password. */
  readonly url: string
  /** Stands before every key and channel, so that deployments may share a server. */
  readonly prefix: string
  /** Milliseconds that anything waits for Redis. Default 250. */
  readonly deadlineMs?: number
  /** Told `corrupt-record` for a value under a key of ours that is not of ours. */
  readonly storeFailed?: Observer['storeFailed']
}

/** Redis did not answer in time. The command may still run: every one of ours may run twice. */
export class RedisLate extends Error {
  override readonly name = 'RedisLate'
  constructor(deadlineMs: number) {
    super(`Redis did not answer within ${deadlineMs} ms`)
  }
}

/** A script by the name of its file. Keys and arguments are strings; times come from Redis. */
const script = (file: string) =>
  defineScript({
    SCRIPT: readFileSync(new URL(file, import.meta.url), 'utf8'),
    parseCommand(parser, names: readonly string[], values: readonly string[]) {
      // The keys, too.
      parser.pushKeysLength([...names])
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
      readResults: script('./read-results.lua'),
      putResult: script('./put-result.lua'),
      schedule: script('./schedule.lua'),
      takeSlot: script('./budget.lua'),
      idempotency: script('./idempotency.lua'),
      countReplicas: script('./replicas.lua'),
    },
  })

export type RedisClient = ReturnType<typeof create>

export interface Redis {
  readonly commands: RedisClient
  /** Of its own: a connection that listens takes no commands. */
  readonly subscriber: RedisClient
  readonly prefix: string
  readonly deadlineMs: number
  /** Rejects with `RedisLate` after the deadline, whatever the client still waits for. */
  within<T>(work: Promise<T>): Promise<T>
  /** The same for a script, which is run again when it has removed a value that is not of ours. */
  run(script: () => Promise<unknown>): Promise<unknown>
  /** Resolves when commands can be sent; rejects after a second. */
  ready(): Promise<void>
  close(): void
}

/** Begins to connect and goes on trying; nobody waits for it. */
export const connectRedis = (options: RedisOptions): Redis => {
  const { prefix, deadlineMs = 250, storeFailed = () => {} } = options
  const commands = create(options)
  const subscriber = create(options)
  for (const client of [commands, subscriber]) {
    // What a connection suffers shows at the next command; without a listener it would end the process.
    client.on('error', () => {})
    client.connect().catch(() => {})
  }

  const within: Redis['within'] = async (work) => {
    const late = Promise.withResolvers<never>()
    let timer = setTimeout(
      () => {
        // An answer may have come while this process was busy: it is read before the second timer.
        timer = setTimeout(() => late.reject(new RedisLate(deadlineMs)), deadlineMs * LAST_PART)
      },
      deadlineMs * (1 - LAST_PART),
    )
    try {
      return await Promise.race([work, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    commands,
    subscriber,
    prefix,
    deadlineMs,
    within,
    run: async (script) => {
      try {
        return await within(script())
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('FOREIGN'))) throw error
        storeFailed('corrupt-record', error)
        return within(script())
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

/** Of the deadline: what is left to read an answer that came while the process did something else. */
const LAST_PART = 0.1
