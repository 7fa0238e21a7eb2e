import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { recordAnswered } from '../helpers/answered.ts'
import { browserObstacle, launchChromium } from '../helpers/chromium.ts'
import { eventsPath, startGateway } from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

/** Longer than the longest `retry:`, which is 5 s. */
const QUIET_MS = 6_000

const obstacle = browserObstacle()

describe.skipIf(obstacle !== undefined)(
  `EventSource of Chromium${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    it('is told pending, its progress, done and the end; its reconnect gets 204 and it stays quiet', async () => {
      const { url, app, lemlist } = await startGateway({
        env: FAST,
        lemlist: { rateLimit: UNLIMITED },
      })
      const answered = recordAnswered(app)
      const ref = lemlist.add({ outcome: 'never' })
      lemlist.progress(ref.exportId, 0, 100)
      const path = eventsPath(ref)

      const browser = await launchChromium()
      const page = await browser.newPage()
      // Of the same origin as the stream; what it shows does not matter.
      await page.goto(`${url}/health/live`)
      // As text, since this part runs in a page and knows nothing of Node.
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
      await delay(QUIET_MS)

      const names = 'told.map(([name, data]) => data.status?.status ?? name)'
      expect(await page.evaluate(names)).toEqual(['pending', 'pending', 'done', 'end'])
      const mine = answered.filter((one) => one.url === path)
      expect(mine.map(({ status }) => status)).toEqual([200, 204])
      expect(await page.evaluate('source.readyState')).toBe(2)
    })
  },
)
