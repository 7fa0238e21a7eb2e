import { readFileSync } from 'node:fs'
import { createClient, defineScript } from '@redis/client'
import type { Observer } from '../../exports/ports.ts'
import { afterDeadline } from './deadline.ts'
import { faultOf, isNoPrimary, RedisFault } from './fault.ts'

export interface RedisOptions {
  /** `redis://` or `rediss://`, which may hold a password. */
  readonly url: string
  /** The prefix of every key and channel, so that several deployments may share a server. */
  readonly prefix: string
  /**
   * How long anything waits for Redis, milliseconds. Default 250. A longer one than a second also is
   * the least time that a connection may take, and may be silent.
   */
  readonly deadlineMs?: number | undefined
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
/** The code of the system when nobody listens on the port. */
const NOBODY = 'ECONNREFUSED'

const SCRIPTS = {
  readResults: script('./read-results.lua'),
  putResult: script('./put-result.lua'),
  listCampaign: script('./list-campaign.lua'),
  scheduleTrack: script('./schedule/rows.lua', './schedule/track.lua'),
  scheduleWatch: script('./schedule/rows.lua', './schedule/watch.lua'),
  scheduleClaim: script('./schedule/rows.lua', './schedule/claim.lua'),
  scheduleLook: script('./schedule/rows.lua', './schedule/look.lua'),
  scheduleRestore: script('./schedule/rows.lua', './schedule/restore.lua'),
  takeSlot: script('./budget.lua'),
  idempotency: script('./idempotency.lua'),
  countReplicas: script('./replicas.lua'),
  missingRights: script('./rights.lua'),
}

const DEADLINE_MS = 250

const create = ({ url, prefix, deadlineMs = DEADLINE_MS }: RedisOptions) =>
  createClient({
    url,
    keyPrefix: `${prefix}:`,
    // A command that cannot be sent now fails at once, so that the gateway goes on without Redis.
    disableOfflineQueue: true,
    // Whatever waits longer than the deadline makes the gateway go on without Redis, so no more than
    // this comes together before.
    commandsQueueMaxLength: 20_000,
    // Its name would cost the user of Redis one more right.
    disableClientInfo: true,
    pingInterval: PING_MS,
    socket: {
      connectTimeout: Math.max(CONNECT_MS, deadlineMs),
      socketTimeout: Math.max(SILENT_MS, deadlineMs),
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
  /**
   * Rejects with `RedisLate` after the deadline, whatever the client still waits for, and with a
   * `RedisFault` in place of any error of Redis or of the client.
   */
  within<T>(work: Promise<T>): Promise<T>
  /** Like `within`, for a script. A script that has removed a foreign value runs a second time. */
  run(script: () => Promise<unknown>): Promise<unknown>
  /** Resolves when commands can be sent; rejects with a `RedisFault`. */
  ready(): Promise<void>
  /** What is wrong with the connection that listens. Undefined while it stands. */
  subscriberFault(): RedisFault | undefined
  /** Makes the connection that listens anew, and resolves the address again. */
  renewSubscriber(): void
  close(): void
}

/** Begins to connect and keeps trying. It does not wait for the connection. */
export const connectRedis = (options: RedisOptions): Redis => {
  const { prefix, deadlineMs = DEADLINE_MS, storeFailed = () => {} } = options
  const commands = connect(options)
  const subscriber = connect(options)

  /** After a failover, another server has the address. It is found by a new connection alone. */
  const findPrimary = (fault: RedisFault): void => {
    if (!isNoPrimary(fault)) return
    commands.renew()
    subscriber.renew()
  }
  // The client sends a script a second time when Redis does not know it. Then the script would run
  // after commands that were sent later, and the schedule relies on the order. A server may refuse
  // to load scripts. The scripts work there all the same.
  commands.client.on('ready', () => {
    for (const { SCRIPT } of Object.values(SCRIPTS))
      commands.client.scriptLoad(SCRIPT).catch(() => {})
  })

  const within: Redis['within'] = async (work) => {
    const late = Promise.withResolvers<never>()
    const inTime = afterDeadline(deadlineMs, () => late.reject(new RedisLate(deadlineMs)))
    try {
      return await Promise.race([work, late.promise])
    } catch (error) {
      if (error instanceof RedisLate) throw error
      // A client without a connection says only that. What the connection failed of says more.
      const fault = (!commands.client.isReady && commands.fault()) || faultOf(error)
      findPrimary(fault)
      throw fault
    } finally {
      inTime()
    }
  }

  return {
    commands: commands.client,
    subscriber: subscriber.client,
    prefix,
    deadlineMs,
    within,
    run: async (script) => {
      try {
        return await within(script())
      } catch (error) {
        if (!(error instanceof RedisFault && error.code === 'FOREIGN')) throw error
        storeFailed('corrupt-record', error)
        return within(script())
      }
    },
    ready: async () => {
      await commands.ready()
      // Without it the store works, and says what is wrong with it.
      await subscriber.ready().catch(() => {})
    },
    subscriberFault: subscriber.fault,
    renewSubscriber: subscriber.renew,
    close: () => {
      for (const { client } of [commands, subscriber]) client.destroy()
    },
  }
}

/** One connection, which is made again and again until it is closed. */
const connect = (options: RedisOptions) => {
  const client = create(options)
  const connectMs = Math.max(CONNECT_MS, options.deadlineMs ?? 0)
  let last: RedisFault | undefined
  // An `error` event without a listener would end the process.
  client.on('error', (error) => {
    last = faultOf(error)
  })
  client.on('ready', () => {
    last = undefined
  })
  const fault = (): RedisFault | undefined =>
    client.isReady ? undefined : (last ?? new RedisFault('OFFLINE', 'Redis is not connected'))
  const open = (): void => void client.connect().catch(() => {})
  open()
  return {
    client,
    fault,
    /**
     * Rejects with what is wrong: at once when nobody listens there or waiting does not help, and
     * else after `connectMs`. A connection that breaks says little about the next one.
     */
    ready: async (): Promise<void> => {
      if (client.isReady) return
      const connected = Promise.withResolvers<void>()
      const giveUp = () => connected.reject(fault())
      const failed = () => {
        if (last !== undefined && (last.cure !== 'wait' || last.code === NOBODY)) giveUp()
      }
      client.once('ready', connected.resolve)
      client.on('error', failed)
      const inTime = afterDeadline(connectMs, giveUp)
      // It may have failed before, and tries again only after a while.
      failed()
      try {
        await connected.promise
      } finally {
        inTime()
        client.off('ready', connected.resolve)
        client.off('error', failed)
      }
    },
    /** Does nothing while the client connects: it resolves the address at each try. */
    renew: (): void => {
      if (!client.isReady) return
      client.destroy()
      open()
    },
  }
}
