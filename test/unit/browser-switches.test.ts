import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { TURNED_OFF } from '../helpers/chromium.ts'

/** The code of Playwright that starts Chromium. It exports nothing of this. */
const source = readFileSync(
  join(
    dirname(createRequire(import.meta.url).resolve('playwright-core/package.json')),
    'lib/coreBundle.js',
  ),
  'utf8',
)

describe('the Chromium of the tests', () => {
  it('is started with every feature off that Playwright turns off', () => {
    const [, list = ''] = /\bdisabledFeatures = \[(.+?)\]\.filter\(/s.exec(source) ?? []
    const features = [...list.matchAll(/^\s*"(\w+)",?$/gm)].map(([, name]) => name)
    expect(features.length).toBeGreaterThan(10)
    expect(TURNED_OFF).toEqual(expect.arrayContaining(features))
  })
})
