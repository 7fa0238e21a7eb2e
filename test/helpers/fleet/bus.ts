import { createClient } from '@redis/client'
import { onTestFinished } from 'vitest'

/** Records the messages between the replicas and can publish them again. */
export interface Bus {
  /** The messages about this export so far, oldest first. */
  heardOf(story: { readonly exportId: string }): readonly string[]
  /** Publishes an old message again. A real bus may do that too: its messages are only hints. */
  repeat(message: string): Promise<void>
}

const CHANNEL = 'leg:updates'
const MAX_MESSAGES = 10_000

export const listenToBus = async (url: string): Promise<Bus> => {
  const messages: string[] = []
  const listening = createClient({ url })
  const speaking = createClient({ url, disableOfflineQueue: true })
  for (const client of [listening, speaking]) {
    client.on('error', () => {})
    await client.connect()
    onTestFinished(() => client.destroy())
  }
  await listening.subscribe(CHANNEL, (message) => {
    if (messages.length < MAX_MESSAGES) messages.push(message)
  })
  return {
    heardOf: ({ exportId }) => messages.filter((message) => message.includes(`"${exportId}"`)),
    repeat: async (message) => void (await speaking.publish(CHANNEL, message)),
  }
}
