import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readyMade } from '../../src/sandbox/ready-made.ts'
import { browserObstacle, launchChromium } from '../helpers/chromium.ts'
import { startGateway } from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

const project = fileURLToPath(new URL('../../', import.meta.url))
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const watching = readme.slice(readme.indexOf('## Watching'), readme.indexOf('## When something'))
const [inBrowser = '', inNode = ''] = [...watching.matchAll(/^```js\n(.+?)^```$/gms)].map(
  ([, code]) => code,
)

/** The exports of the sandbox, behind a gateway that looks often. */
const start = () =>
  startGateway({
    env: FAST,
    lemlist: { exports: readyMade(), rateLimit: UNLIMITED, timeScale: 20 },
  })

const obstacle = browserObstacle()

describe('the EventSource of the README', () => {
  it.skipIf(obstacle !== undefined)('shows an export to its end in a browser', async () => {
    expect(inBrowser.trim().split('\n').length).toBeLessThanOrEqual(12)
    const { url } = await start()
    const browser = await launchChromium()
    const page = await browser.newPage()
    await page.goto(`${url}/health/live`)
    await page.evaluate(
      `window.shown = []; window.show = (text) => shown.push(text); ${inBrowser}; window.events = events`,
    )
    await page.waitForFunction('events.readyState === EventSource.CLOSED')
    const shown = await page.evaluate('shown')
    expect(shown).toContainEqual(expect.stringMatching(/^pending, step [0-5]: \d+ of \d+$/))
    expect(shown).toContain('done, step 6: 0 of 0')
    expect(shown).not.toContain('refused')
  })

  it('prints an export to its end in Node', async () => {
    const { url } = await start()
    const child = spawn(process.execPath, ['--input-type=module', '-'], { cwd: project })
    child.stdin.end(inNode.replace('http://127.0.0.1:8080', url))
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    expect(await once(child, 'close')).toEqual([0, null])
    expect(output).toMatch(/^(pending\n)+done\n$/)
  })
})
