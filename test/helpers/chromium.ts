import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { onTestFinished } from 'vitest'

/** The path of Chromium under the names that Debian and others give it; `undefined` without one. */
export const chromiumPath = (): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => ['chromium', 'chromium-browser'].map((name) => join(folder, name)))
    .find((path) => existsSync(path))

/** Why tests cannot use a browser here. In CI it is no reason, because CI must have one. */
export const browserObstacle = (): string | undefined =>
  chromiumPath() === undefined && process.env.CI !== 'true' ? 'no chromium on PATH' : undefined

/** Starts a headless browser for this test. It makes no calls of its own and ends with the test. */
export const launchChromium = async (): Promise<Browser> => {
  const executablePath = chromiumPath()
  if (executablePath === undefined) throw new Error('There is no chromium on the PATH')
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  onTestFinished(() => browser.close())
  return browser
}
