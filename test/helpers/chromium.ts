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

/** What Playwright turns off. Chromium obeys only the last such list on its command line, so it is here again. */
const OFF_FOR_PLAYWRIGHT = [
  ...['AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'HttpsUpgrades'],
  ...['HttpsFirstBalancedModeAutoEnable', 'LensOverlay', 'MediaRouter', 'PaintHolding'],
  ...['ThirdPartyStoragePartitioning', 'AvoidCorsURLLoaderRestartOnRedirect'],
  ...['TcpPortRandomizationWin', 'OptimizationHints', 'NetworkTimeServiceQuerying', 'AimEnabled'],
  ...['PreconnectToSearch', 'msForceBrowserSignIn', 'msEdgeUpdateLaunchServicesPreferredVersion'],
]

/**
 * The features of Chromium that are off. The last two are pages of its own behind the address bar, which
 * nobody sees here: to load them for each window cost more than the page of the test did.
 */
export const TURNED_OFF: readonly string[] = [
  ...OFF_FOR_PLAYWRIGHT,
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'],
]

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
      `--disable-features=${TURNED_OFF.join()}`,
    ],
  })
  onEnd(() => browser.close())
  return browser
}
