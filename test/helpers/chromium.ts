import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { onTestFinished } from 'vitest'

/** Debian's Chromium, or whatever else is called so on the `PATH`. `undefined`: there is none. */
export const chromiumPath = (): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => ['chromium', 'chromium-browser'].map((name) => join(folder, name)))
    .find((path) => existsSync(path))

/** Why no test here can use a browser; CI has to have one. */
export const browserObstacle = (): string | undefined =>
  chromiumPath() === undefined && process.env.CI !== 'true' ? 'no chromium on PATH' : undefined

/**
 * A headless browser of its own that speaks to nobody but the test.
 *
 * @param onEnd takes what ends the browser; by default it ends with the test
 */
export const launchChromium = async (
  onEnd: (end: () => Promise<void>) => void = onTestFinished,
): Promise<Browser> => {
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
  onEnd(() => browser.close())
  return browser
}
