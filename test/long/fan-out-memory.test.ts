import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { openEvents } from '../helpers/event-connection.ts'

const CHILD = join(import.meta.dirname, '../helpers/fan-out-child.ts')
const HEALTHY = 3
const MIB = 1024 * 1024

const measured = z.object({
  dispatchedBytes: z.number(),
  rssBefore: z.number(),
  rssHighest: z.number(),
  unsentHighest: z.number(),
  unsentLowest: z.number(),
})

describe('200 MB of changes, one of whose subscribers has stopped reading', () => {
  it('raise the memory of the process by no more than 20 MB, and reach the others', async () => {
    const child = fork(CHILD, { execArgv: ['--expose-gc'] })
    const closed = once(child, 'close')
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await closed
    })
    const answer = async (): Promise<unknown> => {
      const died = closed.then(() => {
        throw new Error('the process died')
      })
      const [message] = await Promise.race([once(child, 'message'), died])
      return message
    }
    const { port } = z.object({ port: z.number() }).parse(await answer())
    const url = `http://127.0.0.1:${port}/`
    const connect = (path: string) => {
      const stream = openEvents(url + path)
      onTestFinished(() => void stream.socket.destroy())
      return stream
    }
    const stalled = connect('stalled')
    const healthy = Array.from({ length: HEALTHY }, () => connect('healthy'))
    await Promise.all([stalled, ...healthy].map(({ socket }) => once(socket, 'data')))
    stalled.socket.pause()

    child.send('go')
    const after = measured.parse(await answer())
    const { dispatchedBytes, rssBefore, rssHighest, unsentHighest, unsentLowest } = after
    expect(dispatchedBytes).toBeGreaterThanOrEqual(200 * MIB)
    expect(rssHighest - rssBefore).toBeLessThanOrEqual(20 * MIB)
    // It was stalled indeed, all the time.
    expect(unsentLowest).toBeGreaterThan(0)
    expect(unsentHighest).toBeLessThanOrEqual(64 * 1024)
    for (const { waitFor, events } of healthy) {
      await waitFor(({ event }) => event === 'end')
      expect(events.length).toBeGreaterThan(1_000)
    }
  })
})
