import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { VARIABLES } from '../../../src/config/variables.ts'
import { configDocs } from '../../../tools/config-docs.ts'

const committed = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
const rows = [...committed.matchAll(/^\| `([A-Z0-9_]+)` \| (.+) \| (.+) \|$/gm)]

describe('docs/configuration.md', () => {
  it('is what `npm run docs:config` writes', () => {
    expect(committed).toBe(configDocs())
  })

  it('names every variable once, and no other', () => {
    expect(rows.length).toBeGreaterThan(10)
    expect(rows.map(([, name]) => name)).toEqual(Object.keys(VARIABLES))
  })

  it('gives the default and the meaning of each variable', () => {
    expect(rows.length).toBeGreaterThan(10)
    for (const [row, , fallback, about] of rows) {
      expect(fallback, row).toMatch(/^(unset|`[^`]+`)$/)
      expect(about, row).toMatch(/^.{10,}\.$/)
    }
  })
})
