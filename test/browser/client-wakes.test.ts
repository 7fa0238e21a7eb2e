import { describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const REF = { campaignId: 'cam_Wakes1', exportId: 'axp_Wakes1' }

/** The state of the watch, which the page keeps in `window.told`. */
const WATCH = `(async () => {
  const { watchExport } = await import('/client.js')
  window.told = []
  const onOpen = () => told.push('open')
  const onProblem = ({ code }) => told.push(code)
  for await (const _ of watchExport({ ...${JSON.stringify(REF)}, onOpen, onProblem }));
})()`

describe.skipIf(obstacle !== undefined)(
  `a watch that has lost the gateway${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const gateway = sharedGateway()
    const openPage = sharedBrowser()

    /** A page whose watch has lost the gateway and waits before its next try. */
    const lost = async (headers: Readonly<Record<string, string>> = {}) => {
      gateway().lemlist.add({ ...REF, outcome: 'never' })
      const { page } = await openPage(`${gateway().url}/health/live`)
      // The clock of the page stands still, so only an event wakes.
      await page.clock.install({ time: 0 })
      await page.clock.pauseAt(1_000)
      let isAway = true
      let asked = 0
      await page.route('**/events', (route) => {
        asked += 1
        return isAway ? route.fulfill({ status: 503, headers }) : route.continue()
      })
      await page.evaluate(`void ${WATCH}`)
      await page.waitForFunction('window.told?.length === 1')
      const told = () => page.evaluate<string[]>('told')
      return { page, told, comeBack: () => (isAway = false), asked: () => asked }
    }

    it.each(['online', 'visibilitychange'])('tries again at once at `%s`', async (name) => {
      const { page, told, comeBack, asked } = await lost()
      comeBack()
      const target = name === 'online' ? 'window' : 'document'
      await page.evaluate(`${target}.dispatchEvent(new Event('${name}', { bubbles: true }))`)
      await page.waitForFunction('told.length === 2')
      expect(await told()).toEqual(['unexpected-answer', 'open'])
      expect(asked()).toBe(2)
    })

    it('hears the browser say that the network is back', async () => {
      const { page, told, comeBack } = await lost()
      await page.context().setOffline(true)
      comeBack()
      await page.context().setOffline(false)
      await page.waitForFunction("told.at(-1) === 'open'")
      expect(await told()).toEqual(['unexpected-answer', 'open'])
    })

    it('waits as long as the gateway asks for all the same', async () => {
      const { page, comeBack, asked } = await lost({ 'retry-after': '20' })
      comeBack()
      await page.evaluate("dispatchEvent(new Event('online'))")
      await page.clock.runFor(19_000)
      expect(asked()).toBe(1)
      await page.clock.runFor(10_000)
      await page.waitForFunction("told.at(-1) === 'open'")
      expect(asked()).toBe(2)
    })
  },
)
