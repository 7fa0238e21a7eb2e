import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type AccessGateway,
  bearer,
  SALES,
  send,
  startAccessGateway,
  TWO_TEAMS,
} from '../../helpers/access-gateway.ts'
import { entry, KEYS } from '../../helpers/callers.ts'
import { openEvents } from '../../helpers/event-connection.ts'
import { eventsPath, manyEventsPath, startGateway, statusPath } from '../../helpers/gateway.ts'
import { expectProblem } from '../../helpers/problem.ts'
import { named, namesOf } from '../../helpers/watching.ts'

/** Ids that nobody has seen before, which one caller asks for and another one needs. */

const { campaignId } = SALES
const idsOf = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ campaignId, exportId: `axp_${name}${index}` }))

/**
 * A caller has four places in 4.1 s, and waits 1.7 s at most. So a fifth read is refused at once,
 * and another caller's read, which the pace of the budget holds back for a second, is not.
 */
const SLOW = { LEMLIST_RATE_WINDOW_MS: '4000', LEMLIST_TIMEOUT_MS: '4000' }

const start = () =>
  startAccessGateway({
    file: { callers: { crm: entry(KEYS.crm), bi: entry(KEYS.bi) } },
    env: SLOW,
    lemlist: TWO_TEAMS,
  })

const read = (gateway: Pick<AccessGateway, 'url'>, path: string, key: string, prefer = '') =>
  send(gateway, path, { headers: [bearer(key), `Prefer: ${prefer}`] })

const readMany = (gateway: AccessGateway, count: number, key: string) =>
  Promise.all(idsOf('Unknown', count).map((ref) => read(gateway, statusPath(ref), key)))

const open = (gateway: AccessGateway, path: string, key: string) => {
  const stream = openEvents(gateway.url + path, { headers: [bearer(key)] })
  onTestFinished(() => void stream.socket.destroy())
  return stream
}

describe('ids that nobody has seen before', () => {
  it('cost a caller a quarter of the budget, and no other caller anything', async () => {
    const gateway = await start()
    const answers = await readMany(gateway, 50, KEYS.crm)
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(4)
    const refused = answers.filter(({ status }) => status !== 404)
    for (const answer of refused) {
      expectProblem(answer, 'budget-exhausted')
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(3)
    }
    const [other = SALES] = idsOf('Other', 1)
    expectProblem(await read(gateway, statusPath(other), KEYS.bi), 'export-not-found')
    expect(gateway.lemlist.calls).toHaveLength(5)
  })

  it('do not keep a caller from an export that is known', async () => {
    const gateway = await start()
    expect((await read(gateway, statusPath(SALES), KEYS.bi)).status).toBe(200)
    await readMany(gateway, 50, KEYS.crm)
    expect((await read(gateway, statusPath(SALES), KEYS.crm)).status).toBe(200)
  })

  it.each([
    ['status', ''],
    ['status', 'wait=1'],
    ['file', ''],
  ])('cost the same on the route of the %s with the preference `%s`', async (route, prefer) => {
    const gateway = await start()
    await readMany(gateway, 4, KEYS.crm)
    const path = statusPath({ campaignId, exportId: 'axp_Fifth' }).replace(/status$/, route)
    expectProblem(await read(gateway, path, KEYS.crm, prefer), 'budget-exhausted')
    expect(gateway.lemlist.calls).toHaveLength(4)
  })

  it('cost a caller the same on streams, where they wait for their turn', async () => {
    const gateway = await start()
    const flood = open(gateway, manyEventsPath(idsOf('Unknown', 50)), KEYS.crm)
    await flood.until(() => namesOf(flood).filter((name) => name === 'gone').length === 4)
    for (const ref of idsOf('Single', 20)) open(gateway, eventsPath(ref), KEYS.crm)
    const other = open(gateway, manyEventsPath(idsOf('Other', 1)), KEYS.bi)
    await other.waitFor(named('gone'))
    expect(gateway.lemlist.calls).toHaveLength(5)
  })

  it('are not counted where nobody proves who he is', async () => {
    const gateway = await startGateway({ env: SLOW })
    const answers = await Promise.all(
      idsOf('Unknown', 8).map((ref) => send(gateway, statusPath(ref))),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(404))
  })
})
