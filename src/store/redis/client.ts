import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createClient, defineScript } from '@redis/client'
import type { Observer } from '../../exports/ports.ts'

export interface RedisOptions {
  /** `redis://` or `rediss://`, which may hold a password. */
  readonly url: string
  /** The prefix of every key and channel, so that several deployments may share a server. */
  readonly prefix: string
  /** How long anything waits for Redis, milliseconds. Default 250. */
  readonly deadlineMs?: number
  /** Called with `corrupt-record` for a value under a gateway key that no gateway has written. */
  readonly storeFailed?: Observer['storeFailed']
}

/** Redis did not answer in time, but may still run the command. So each command may run twice. */
export class RedisLate extends Error {
  override readonly name = 'RedisLate'
  constructor(deadlineMs: number) {
    super(`Redis did not answer within ${deadlineMs} ms`)
  }
}

/**
 * A script that consists of these files, one after the other. Keys and arguments are strings. Times
 * come from Redis.
 */
const script = (...files: readonly string[]) =>
  defineScript({
    SCRIPT: files.map((file) => readFileSync(new URL(file, import.meta.url), 'utf8')).join('\n'),
    parseCommand(parser, names: readonly string[], values: readonly string[]) {
      // In spite of its name this pushes the keys, too, and not only their number.
      parser.pushKeysLength([...names])
      parser.push(...values)
    },
    // The caller checks the reply, because other programs may use the same server.
    transformReply: (reply: unknown): unknown => reply,
  })

const PING_MS = 500
/** The connections of a stopped server stay open. Only its silence shows that it is stopped. */
const SILENT_MS = 1_500
const CONNECT_MS = 1_000
const LONGEST_RECONNECT_MS = 1_000

const SCRIPTS = {
  readResults: script('./read-results.lua'),
  putResult: script('./put-result.lua'),
  scheduleTrack: script('./schedule/rows.lua', './schedule/track.lua'),
  scheduleWatch: script('./schedule/rows.lua', './schedule/watch.lua'),
  scheduleClaim: script('./schedule/rows.lua', './schedule/claim.lua'),
  scheduleLook: script('./schedule/rows.lua', './schedule/look.lua'),
  scheduleRestore: script('./schedule/rows.lua', './schedule/restore.lua'),
  takeSlot: script('./budget.lua'),
  idempotency: script('./idempotency.lua'),
  countReplicas: script('./replicas.lua'),
}

const create = ({ url, prefix }: RedisOptions) =>
  createClient({
    url,
    keyPrefix: `${prefix}:`,
    // A command that cannot be sent now fails at once, so that the gateway goes on without Redis.
    disableOfflineQueue: true,
    pingInterval: PING_MS,
    socket: {
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, LONGEST_RECONNECT_MS),
    },
    scripts: SCRIPTS,
  })

export type RedisClient = ReturnType<typeof create>

export interface Redis {
  readonly commands: RedisClient
  /** A connection of its own, because a connection that listens takes no commands. */
  readonly subscriber: RedisClient
  readonly prefix: string
  readonly deadlineMs: number
  /** Rejects with `RedisLate` after the deadline, whatever the client still waits for. */
  within<T>(work: Promise<T>): Promise<T>
  /** Like `within`, for a script. A script that has removed a foreign value runs a second time. */
  run(script: () => Promise<unknown>): Promise<unknown>
  /** Resolves when commands can be sent; rejects after a second. */
  ready(): Promise<void>
  close(): void
}

/** Begins to connect and keeps trying. It does not wait for the connection. */
export const connectRedis = (options: RedisOptions): Redis => {
  const { prefix, deadlineMs = 250, storeFailed = () => {} } = options
  const commands = create(options)
  const subscriber = create(options)
  for (const client of [commands, subscriber]) {
    // The next command shows what is wrong with a connection. An `error` event without a listener
    // would end the process.
    client.on('error', () => {})
    client.connect().catch(() => {})
  }
  // The client sends a script a second time when Redis does not know it. Then the script would run
  // after commands that were sent later, and the schedule relies on the order. A server may refuse
  // to load scripts. The scripts work there all the same.
  commands.on('ready', () => {
    for (const { SCRIPT } of Object.values(SCRIPTS)) commands.scriptLoad(SCRIPT).catch(() => {})
  })

  const within: Redis['within'] = async (work) => {
    const late = Promise.withResolvers<never>()
    let timer = setTimeout(
      () => {
        // The answer may have come while this process was busy. It is read before the second timer
        // fires, so Redis does not count as late.
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

/** The part of the deadline in which an answer is read that came while the process was busy. */
const LAST_PART = 0.1
