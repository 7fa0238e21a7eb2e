import { randomUUID } from 'node:crypto'
import type { Observer, Update, UpdateListener, Updates } from '../../exports/ports.ts'
import { decodeUpdate, encodeUpdate } from '../../exports/update.ts'
import type { Redis } from './client.ts'
import { afterDeadline } from './deadline.ts'
import { faultOf, RedisFault } from './fault.ts'

export interface RedisUpdates extends Updates {
  /**
   * Sends this replica a message by way of Redis, after it has subscribed where it has not yet.
   * Afterwards `fault` says whether it was heard. Rejects when Redis fails in another way.
   */
  check(): Promise<void>
  /**
   * Why this replica cannot tell others or hear them. It can use Redis all the same: without
   * messages, news of other replicas comes with the next heartbeat.
   */
  fault(): RedisFault | undefined
}

interface RedisUpdatesOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  readonly storeFailed: Observer['storeFailed']
  /** Called when the replica hears the channel, perhaps again. Updates before that are lost. */
  readonly onResubscribe: () => void
  /** Called when a replica is heard for the first time. */
  readonly onPeer: () => void
}

const ORIGIN_LENGTH = 36
/** Follows the origin in a message that a replica sends to itself. */
const CHECK = 'check'
/** A message to itself that takes longer than this is lost. */
const HEARD_MS = 2_000
/** More replicas than share one lemlist key. Each restart makes a new one. */
const MAX_PEERS = 1_000

/**
 * `Updates` by pub/sub. `publish` tells the listener of this replica directly, without Redis. The
 * updates of other replicas may get lost. Then their news comes with the next heartbeat.
 */
export const createRedisUpdates = (
  { commands, subscriber, prefix, within, subscriberFault, renewSubscriber }: Redis,
  { now, storeFailed, onResubscribe, onPeer }: RedisUpdatesOptions,
): RedisUpdates => {
  const channel = `${prefix}:updates`
  const me = randomUUID()
  let listener: UpdateListener = () => {}

  const peers = new Set<string>()
  const meet = (peer: string): void => {
    if (peers.has(peer)) return
    if (peers.size >= MAX_PEERS) peers.clear()
    peers.add(peer)
    onPeer()
  }

  const hear = (message: string): void => {
    if (message.startsWith(me)) {
      for (const tell of waiting) tell()
      return
    }
    if (message.slice(ORIGIN_LENGTH) === CHECK) {
      meet(message.slice(0, ORIGIN_LENGTH))
      return
    }
    const told = decodeUpdate(message.slice(ORIGIN_LENGTH))
    if (told === undefined)
      storeFailed(
        'corrupt-update',
        new Error('A message on the channel does not come from a gateway'),
      )
    else listener(told.ref, notLater(told.update, now()), 'elsewhere')
  }

  /** The checks that wait to hear this replica. They may overlap, and any message answers them all. */
  const waiting = new Set<() => void>()
  /** What the last check or message has found. */
  let found: RedisFault | undefined
  let subscribing: Promise<void> | undefined
  let subscribed = false

  /** Redis may refuse the channel now and allow it later. */
  const subscribe = (): Promise<void> => {
    subscribing ??= subscriber
      .subscribe(channel, hear)
      .then(() => {
        subscribed = true
        onResubscribe()
      })
      .finally(() => {
        subscribing = undefined
      })
    return subscribing
  }

  // The client subscribes again by itself, but the first time it needs a connection.
  subscriber.on('ready', () => {
    if (subscribed) return onResubscribe()
    subscribe().catch((error) => {
      found = faultOf(error)
    })
  })

  /** Resolves to the fault if Redis refuses to publish. Rejects when it fails in another way. */
  const say = async (text: string): Promise<RedisFault | undefined> => {
    try {
      await within(commands.publish(channel, `${me}${text}`))
      return undefined
    } catch (error) {
      if (error instanceof RedisFault && error.cure === 'rights') return error
      throw error
    }
  }

  /** Says something to this replica. Resolves to what keeps it from being heard. */
  const listenToMyself = async (): Promise<RedisFault | undefined> => {
    const heard = Promise.withResolvers<boolean>()
    const tell = () => heard.resolve(true)
    // It may be heard before Redis has confirmed it.
    waiting.add(tell)
    let inTime = () => {}
    try {
      const refused = await say(CHECK)
      if (refused !== undefined) return refused
      inTime = afterDeadline(HEARD_MS, () => heard.resolve(false))
      if (await heard.promise) return undefined
      return new RedisFault('UNHEARD', 'Redis does not pass on what this replica publishes')
    } finally {
      waiting.delete(tell)
      inTime()
    }
  }

  return {
    publish: async (ref, update) => {
      listener(ref, update, 'here')
      found = (await say(encodeUpdate(ref, update))) ?? found
    },
    check: async () => {
      if (subscriberFault() !== undefined) return
      try {
        if (!subscribed) await subscribe()
      } catch (error) {
        found = faultOf(error)
        return
      }
      found = undefined
      const fault = await listenToMyself()
      // A message may have been refused meanwhile.
      found = fault ?? found
      // The two connections may lead to different servers, after a failover for instance.
      if (fault?.code === 'UNHEARD') renewSubscriber()
    },
    fault: () => subscriberFault() ?? found,
    listen: (next) => {
      listener = next
    },
  }
}

/**
 * Sets an observation from the future to now. It comes from a clock that is ahead. Unchanged, it
 * would count as newer than everything that this replica sees for a while.
 */
const notLater = (update: Update, time: number): Update => {
  if (update.kind !== 'status' || update.snapshot.observedAt <= time) return update
  const { observedAt, askedAt } = update.snapshot
  const asked = askedAt !== undefined && { askedAt: askedAt - (observedAt - time) }
  return { ...update, snapshot: { ...update.snapshot, observedAt: time, ...asked } }
}
