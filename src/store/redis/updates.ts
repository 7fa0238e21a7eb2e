import { randomUUID } from 'node:crypto'
import type { Observer, Update, UpdateListener, Updates } from '../../exports/ports.ts'
import { decodeUpdate, encodeUpdate } from '../../exports/update.ts'
import type { Redis } from './client.ts'

interface RedisUpdatesOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  readonly storeFailed: Observer['storeFailed']
  /** Called when the replica hears the channel, perhaps again. Updates before that are lost. */
  readonly onResubscribe: () => void
}

const ORIGIN_LENGTH = 36

/**
 * `Updates` by pub/sub. `publish` tells the listener of this replica directly, without Redis. The
 * updates of other replicas may get lost. Then their news comes with the next heartbeat.
 */
export const createRedisUpdates = (
  { commands, subscriber, prefix, within }: Redis,
  { now, storeFailed, onResubscribe }: RedisUpdatesOptions,
): Updates => {
  const channel = `${prefix}:updates`
  const me = randomUUID()
  let listener: UpdateListener = () => {}

  const hear = (message: string): void => {
    if (message.startsWith(me)) return
    const heard = decodeUpdate(message.slice(ORIGIN_LENGTH))
    if (heard === undefined)
      storeFailed(
        'corrupt-update',
        new Error('A message on the channel does not come from a gateway'),
      )
    else listener(heard.ref, notLater(heard.update, now()), 'elsewhere')
  }

  let subscribed = false
  // The client subscribes again by itself, but the first time it needs a connection.
  subscriber.on('ready', () => {
    if (subscribed) return onResubscribe()
    subscribed = true
    subscriber.subscribe(channel, hear).then(onResubscribe, (error) => {
      subscribed = false
      storeFailed('updates.subscribe', error)
    })
  })

  return {
    publish: async (ref, update) => {
      listener(ref, update, 'here')
      await within(commands.publish(channel, `${me}${encodeUpdate(ref, update)}`))
    },
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
  return { ...update, snapshot: { ...update.snapshot, observedAt: time } }
}
