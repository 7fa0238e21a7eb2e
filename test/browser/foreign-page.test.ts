import { describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { startForeignSite } from '../helpers/foreign-site.ts'
import { logLines } from '../helpers/gateway.ts'
import { sharedBrowser } from '../helpers/live-page.ts'
import { isStart, startGatewayWithCampaign, startPath } from '../helpers/starts.ts'

const obstacle = browserObstacle()

/** What such a page can send without a CORS preflight. These are texts, because a browser runs them. */
const ATTACKS: Readonly<Record<string, string>> = {
  'a fetch that cannot read the answer':
    "fetch(url, { method: 'POST', mode: 'no-cors', body: 'x' })",
  'a fetch without a referrer':
    "fetch(url, { method: 'POST', mode: 'no-cors', referrerPolicy: 'no-referrer' })",
  'a beacon': 'navigator.sendBeacon(url)',
  'a form': 'show("<form method=post action=" + url + "></form>"); document.forms[0].submit()',
  'a form in a frame without an origin':
    'show("<iframe sandbox=\'allow-scripts allow-forms\' srcdoc=\'<form method=post action=" + url + "></form><script>document.forms[0].submit()</script>\'></iframe>")',
}
const HELP = '(html) => { document.body.innerHTML = html }'

describe.skipIf(obstacle)(`a foreign page${obstacle ? ` (${obstacle})` : ''}`, () => {
  const openPage = sharedBrowser()

  it.each(Object.entries(ATTACKS))('cannot start an export by %s', async (_, script) => {
    const gateway = await startGatewayWithCampaign()
    const { page } = await openPage(await startForeignSite())
    const url = gateway.url + startPath()
    await page.evaluate(
      `{ const url = ${JSON.stringify(url)}, show = ${HELP}; ${script}; undefined }`,
    )
    // The gateway's log tells more than the browser, which hides what a sandboxed frame does.
    const answered = () => logLines(gateway.logs()).filter(({ method }) => method === 'POST')
    await expect.poll(answered, { timeout: 30_000 }).toMatchObject([{ status: 403 }])
    expect(gateway.lemlist.calls.filter(isStart)).toEqual([])
  })
})
