import { randomUUID } from 'node:crypto'
import type { Observer, Update, Updates } from '../../exports/ports.ts'
import { decodeUpdate, encodeUpdate } from '../../exports/update.ts'
import type { Redis } from './client.ts'

interface RedisUpdatesOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  readonly storeFailed: Observer['storeFailed']
  /** The channel is listened to, perhaps again: what was published before is lost. */
  readonly onResubscribe: () => void
}

const ORIGIN_LENGTH = 36

/**
 * `Updates` by pub/sub. Whoever publishes has told its own listener already, without Redis in between;
 * what others publish may be lost, which costs a heartbeat.
 */
export const createRedisUpdates = (
  { commands, subscriber, prefix, within }: Redis,
  { now, storeFailed, onResubscribe }: RedisUpdatesOptions,
): Updates => {
  const channel = `${prefix}:updates`
  const me = randomUUID()
  let listener: Parameters<Updates['listen']>[0] = () => {}

  const hear = (message: string): void => {
    if (message.startsWith(me)) return
    const heard = decodeUpdate(message.slice(ORIGIN_LENGTH))
    if (heard === undefined) storeFailed('corrupt-update', new Error('A message is not of ours'))
    else listener(heard.ref, notLater(heard.update, now()))
  }

  let subscribed = false
  // The client subscribes again by itself; the first time it needs a connection.
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
      listener(ref, update)
      await within(commands.publish(channel, `${me}${encodeUpdate(ref, update)}`))
    },
    listen: (next) => {
      listener = next
    },
  }
}

/** From a clock that is ahead of ours, it would be newer than all that is seen here for a while. */
const notLater = (update: Update, time: number): Update => {
  if (update.kind !== 'status' || update.snapshot.observedAt <= time) return update
  return { ...update, snapshot: { ...update.snapshot, observedAt: time } }
}
