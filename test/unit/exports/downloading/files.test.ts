import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { createFiles } from '../../../../src/exports/downloading/files.ts'
import type { FileAnswer } from '../../../../src/exports/ports.ts'
import { snapshotOf } from '../../../helpers/fakes.ts'
import { doneBody, REF } from '../../../helpers/status-bodies.ts'

const INTERVALS = { firstMs: 1, intervalMs: 5_000, maxIntervalMs: 15_000, idleIntervalMs: 60_000 }

/** Downloads of at most ten bytes, two at once. lemlist answers what the test says. */
const start = (answers: (body: Readable) => Partial<FileAnswer> | Promise<Partial<FileAnswer>>) => {
  const bodies: Readable[] = []
  const reading = {
    snapshot: { ...snapshotOf('done', Date.now()), body: Buffer.from(doneBody()) },
    firstSeenAt: Date.now(),
    how: 'hit',
  } as const
  const files = createFiles({
    reader: { peek: () => reading, read: async () => reading },
    upstream: {
      file: async () => {
        const body = Readable.from(['12345', '67890', '1'], { objectMode: false })
        bodies.push(body)
        const head = { status: 200, length: undefined, framed: true, range: undefined } as const
        const answer = { ...head, servesRanges: false }
        return { ...answer, body, ...(await answers(body)) }
      },
    },
    intervals: INTERVALS,
    bases: ['https://api.lemlist.com/api'],
    patienceMs: 100,
    maxOpen: 2,
    maxBytes: 10,
  })
  const open = () => files.open(REF, undefined, new AbortController().signal)
  return { open, bodies }
}

const closed = async (body: Readable | undefined): Promise<void> => {
  if (body?.closed === false) await new Promise<void>((resolve) => body.once('close', resolve))
  expect(body?.closed).toBe(true)
}

describe('a file over the cap', () => {
  it('is refused before its first byte when lemlist tells its length', async () => {
    const { open, bodies } = start(() => ({ length: 11 }))
    for (let round = 0; round < 3; round += 1) {
      await expect(open()).rejects.toMatchObject({ code: 'upstream-invalid' })
      await closed(bodies[round])
    }
  })

  it('breaks off at the cap when lemlist does not tell its length', async () => {
    const { open, bodies } = start(() => ({}))
    const { body } = await open()
    await expect(text(body)).rejects.toThrow('over the cap')
    expect(bodies[0]?.destroyed).toBe(true)
  })
})

describe('downloads at once', () => {
  it('are counted until their bodies end, and no longer', async () => {
    const { open } = start(() => ({ length: 10 }))
    const [first, second] = [await open(), await open()]
    await expect(open()).rejects.toMatchObject({ code: 'overloaded' })
    await text(first.body)
    const third = await open()
    await expect(open()).rejects.toMatchObject({ code: 'overloaded' })
    second.body.destroy()
    await closed(second.body)
    third.body.on('error', () => {}).destroy(new Error('lemlist is gone'))
    await closed(third.body)
    await Promise.all([open(), open()])
    await expect(open()).rejects.toMatchObject({ code: 'overloaded' })
  })

  // Regression: a download that ended before the gateway listened to it kept its place for ever.
  it('are not counted when lemlist breaks off before the gateway reads them', async () => {
    const { open } = start(async (body) => {
      body.on('error', () => {}).destroy(new Error('lemlist is gone'))
      await closed(body)
      return { length: 10 }
    })
    for (let round = 0; round < 5; round += 1) {
      await closed((await open()).body)
    }
  })
})
