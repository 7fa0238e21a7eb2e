import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../../src/exports/export.ts'
import type { Update } from '../../../src/exports/ports.ts'
import { encodeUpdate } from '../../../src/exports/update.ts'
import { withoutRedis } from '../../helpers/redis.ts'
import { bareClient, freshPrefix, openRedisStore, sharedRedis } from '../../helpers/redis-store.ts'
import { bodySaying, finalOf, refOf } from '../records.ts'

const ref = refOf('exp_A')

describe.skipIf(withoutRedis)('a message of another program on the channel', () => {
  const server = sharedRedis()

  it('is counted and told to nobody', async () => {
    const prefix = freshPrefix()
    const { store, failures } = await openRedisStore({ url: server().url, prefix })
    const heard: [ExportRef, Update][] = []
    store.updates.listen((ref, update) => void heard.push([ref, update]))
    const client = await bareClient(server())
    const channel = `${prefix}:updates`
    const origin = 'x'.repeat(36)
    const { snapshot } = finalOf('x')
    const saying = (body: Uint8Array) =>
      encodeUpdate(ref, { kind: 'status', snapshot: { ...snapshot, body } })
    const good = saying(bodySaying('done'))
    const say = (message: string) => client.publish(channel, message)
    await expect.poll(() => say(`${origin}${good}`)).toBe(1)
    const junk = ['', 'x', origin, `${origin}null`, `${origin}{"form":2}`, good, 'x'.repeat(1e6)]
    for (const text of [
      ...junk,
      `${origin}${good.replace('"form":1', '"form":9')}`,
      `${origin}${good.replace(/"observedAt":\d+/, '"observedAt":1e999')}`,
      `${origin}${good.replace(/"endOfLife":\d+/, '"endOfLife":"soon"')}`,
      `${origin}${good.replace('exp_A', '../x')}`,
      `${origin}${good.replace(/"body":"[^"]*"/, '"body":"%%%"')}`,
      // Regression: these were told to callers, and failed where FILE_URLS=gateway rewrites the body.
      ...['not json', 'null', '{}', '[]', '{"status":null}', '{"status":"done"}'].map(
        (body) => `${origin}${saying(Buffer.from(body))}`,
      ),
      `${origin}${saying(bodySaying('pending'))}`,
    ]) {
      await say(text)
    }
    await say(`${origin}${good}`)
    await expect.poll(() => heard.length).toBe(2)
    expect(heard.map(([told]) => told)).toEqual([ref, ref])
    expect(failures).toEqual(Array.from({ length: 19 }, () => 'corrupt-update'))
  })
})
