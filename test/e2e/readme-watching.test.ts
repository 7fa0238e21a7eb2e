import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { startExport } from '../../src/client/client.js'
import { readyMade, SEEN_CAMPAIGN, seenExports } from '../../src/sandbox/ready-made.ts'
import { browserObstacle, launchChromium } from '../helpers/chromium.ts'
import { startGateway } from '../helpers/gateway.ts'
import { fencesIn } from '../helpers/markdown.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

const project = fileURLToPath(new URL('../../', import.meta.url))

/** Returns the programs that a document shows. */
const programsIn = (document: string): string[] =>
  fencesIn(readFileSync(new URL(`../../${document}`, import.meta.url), 'utf8'))
    .filter(({ language }) => language === 'js')
    .map(({ text }) => text)

const readmePrograms = programsIn('README.md')
const referencePrograms = programsIn('docs/api.md')
const [withClient = '', ofCampaign = ''] = readmePrograms
const [inBrowser = '', inNode = ''] = referencePrograms

/** Starts a gateway that looks often, with the exports of the sandbox. */
const start = () =>
  startGateway({
    env: FAST,
    lemlist: { exports: [...readyMade(), ...seenExports()], rateLimit: UNLIMITED, timeScale: 20 },
  })

const obstacle = browserObstacle()

describe('the programs of the documents', () => {
  it('are those that run here', () => {
    expect([readmePrograms, referencePrograms].map(({ length }) => length)).toEqual([2, 2])
    for (const program of [withClient, ofCampaign, inBrowser, inNode]) {
      expect(program.trim().split('\n').length).toBeLessThanOrEqual(12)
    }
  })

  it.skipIf(obstacle !== undefined)('show an export to its end in a browser', async () => {
    const { url, lemlist } = await start()
    const browser = await launchChromium()
    const openPage = async () => {
      const page = await browser.newPage()
      await page.goto(`${url}/health/live`)
      await page.evaluate('window.shown = []; window.show = (text) => shown.push(text)')
      return page
    }

    const bare = await openPage()
    await bare.evaluate(`${inBrowser}; window.events = events`)
    await bare.waitForFunction('events.readyState === EventSource.CLOSED')
    const shown = await bare.evaluate('shown')
    expect(shown).toContainEqual(expect.stringMatching(/^pending, step [0-5]: \d+ of \d+$/))
    expect(shown).toContain('done, step 6: 0 of 0')
    expect(shown).not.toContain('refused')

    const typed = await openPage()
    const downloading = typed.waitForEvent('download')
    await typed.addScriptTag({ type: 'module', content: withClient })
    expect((await downloading).suggestedFilename()).toMatch(/^export_axp_\w+\.csv$/)
    expect(await typed.evaluate('shown.at(-1)')).toBe('done: 0 of 0')
    expect(lemlist.calls.filter(({ operation }) => operation === 'start')).toHaveLength(1)

    const all = await openPage()
    await all.addScriptTag({ type: 'module', content: ofCampaign })
    const { campaignId } = SEEN_CAMPAIGN
    const { id } = await startExport({ baseUrl: url, campaignId })
    await all.waitForFunction(`shown.at(-1)?.includes('${id}: done')`)
  })

  it('print an export to its end in Node', async () => {
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
