import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { isState, openEvents, type Received } from '../helpers/event-connection.ts'
import { eventsPath, KEY, startGateway } from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

/** A gateway whose lemlist listens or does not, always on the same port. */
const start = async () => {
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const { url } = await startGateway({ env: { ...FAST, LEMLIST_BASE_URL: baseUrl } })
  const watch = (ref: { campaignId: string; exportId: string }) => {
    const stream = openEvents(url + eventsPath(ref))
    onTestFinished(() => void stream.socket.destroy())
    return stream
  }
  const comeBack = () => lemlist.listen(Number(new URL(baseUrl).port))
  return { url, lemlist, comeBack, watch }
}

const named =
  (name: string) =>
  ({ event }: Received): boolean =>
    event === name

describe('lemlist that is down when somebody begins to watch', () => {
  it('is told by a problem on a 200, and by a status on the same stream when it is back', async () => {
    const { lemlist, comeBack, watch } = await start()
    const ref = lemlist.add({ outcome: 'never' })
    await lemlist.close()
    const stream = watch(ref)
    const problem = await stream.waitFor(named('problem'))
    expect(stream.status()).toBe(200)
    expect(JSON.parse(problem.data)).toMatchObject({ code: 'upstream-unavailable', ...ref })
    await comeBack()
    await stream.waitFor(isState('pending'))
    const [first, second] = stream.events.map(({ event }) => event)
    expect([first, second]).toEqual(['problem', 'status'])
  })

  it('is told by a problem and a status once more when it goes away later', async () => {
    const { lemlist, comeBack, watch } = await start()
    const ref = lemlist.add({ outcome: 'never' })
    lemlist.progress(ref.exportId, 1, 2)
    const stream = watch(ref)
    await stream.waitFor(isState('pending'))
    await lemlist.close()
    await stream.waitFor(named('problem'))
    await comeBack()
    lemlist.finish(ref.exportId)
    await stream.waitFor(named('end'))
    const told = stream.events.map(({ event }) => event)
    expect(told.filter((event) => event === 'problem')).toHaveLength(1)
    expect(told.slice(-2)).toEqual(['status', 'end'])
  })
})

describe('an export that lemlist does not know', () => {
  it('is a 404 before any stream', async () => {
    const { url, lemlist } = await start()
    const { campaignId } = lemlist.add()
    const response = await fetch(url + eventsPath({ campaignId, exportId: 'axp_Unknown' }))
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ code: 'export-not-found' })
    expect(lemlist.calls).toHaveLength(1)
  })
})

describe('an export that vanishes while it is watched', () => {
  it('is told as gone after three looks, then the stream ends for good', async () => {
    const { lemlist, watch } = await start()
    const ref = lemlist.add({ outcome: 'never' })
    const stream = watch(ref)
    await stream.waitFor(isState('pending'))
    lemlist.forget(ref.exportId)
    const gone = await stream.waitFor(named('gone'))
    expect(JSON.parse(gone.data)).toMatchObject({ code: 'export-timed-out', ...ref })
    const end = await stream.waitFor(named('end'))
    expect(JSON.parse(end.data)).toEqual({ reason: 'gone' })
    const looks = lemlist.calls.filter(({ status }) => status === 404)
    expect(looks).toHaveLength(3)
  })
})
