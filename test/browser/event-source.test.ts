import { describe, expect, it } from 'vitest'
import { recordAnswered } from '../helpers/answered.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { eventsPath, startGateway } from '../helpers/gateway.ts'
import { startHastyProxy } from '../helpers/hasty-proxy.ts'
import { sharedBrowser } from '../helpers/live-page.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

const obstacle = browserObstacle()

describe.skipIf(obstacle !== undefined)(
  `EventSource of Chromium${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const openPage = sharedBrowser()

    it('is told pending, its progress, done and the end; its reconnect gets 204 and it stays quiet', async () => {
      const { url, app, lemlist } = await startGateway({
        env: FAST,
        lemlist: { rateLimit: UNLIMITED },
      })
      const answered = recordAnswered(app)
      const ref = lemlist.add({ outcome: 'never' })
      lemlist.progress(ref.exportId, 0, 100)
      const path = eventsPath(ref)

      const proxy = await startHastyProxy(url)
      // The page must have the same origin as the stream. What it shows does not matter.
      const { page } = await openPage(`${proxy.url}/health/live`)
      // The script is a text because it runs in a page, which has other globals than the tests.
      await page.evaluate(`
      window.told = []
      window.source = new EventSource(${JSON.stringify(path)})
      for (const name of ['status', 'problem', 'gone', 'end', 'message']) {
        source.addEventListener(name, ({ type, data }) => told.push([type, JSON.parse(data)]))
      }
    `)
      const isTold = (condition: string) =>
        page.waitForFunction(`told.some(([name, data]) => ${condition})`)
      await isTold("name === 'status' && data.status.progress === 0")
      lemlist.progress(ref.exportId, 50, 100)
      await isTold("name === 'status' && data.status.progress === 50")
      lemlist.finish(ref.exportId)
      await isTold("name === 'end' && data.reason === 'done'")
      await page.waitForFunction('source.readyState === EventSource.CLOSED')

      // A second EventSource waits as long between its connections, and each of them ends at once.
      // Once it has come back five times, the first one would have come back as well if it were not
      // closed for good.
      await page.route('**/restless', (route) =>
        route.fulfill({ contentType: 'text/event-stream', body: 'retry: 50\n\n' }),
      )
      await page.evaluate(`
      window.opened = 0
      new EventSource('/restless').addEventListener('open', () => { opened += 1 })
    `)
      await page.waitForFunction('opened > 5')

      const names = 'told.map(([name, data]) => data.status?.status ?? name)'
      expect(await page.evaluate(names)).toEqual(['pending', 'pending', 'done', 'end'])
      const mine = answered.filter((one) => one.url === path)
      expect(mine.map(({ status }) => status)).toEqual([200, 204])
      expect(await page.evaluate('source.readyState')).toBe(2)
    })
  },
)
