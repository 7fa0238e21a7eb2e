import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** What `deploy/` says about metrics, compared with the list of metrics in docs/operations.md. */

const read = (file: string): string =>
  readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
const operations = read('docs/operations.md')

/** The names that the table of metrics lists. Another test compares it with the metrics themselves. */
const documented = new Set(
  [...operations.matchAll(/^\| `((?:gateway|process|nodejs)_\w+)/gm)].map(([, name]) => name),
)

const namesIn = (text: string): string[] => [
  ...new Set(
    [...text.matchAll(/\b(?:gateway|process|nodejs)_[a-z0-9_]+/g)].map(([name]) =>
      // A histogram is read by its buckets.
      name.replace(/_bucket$/, ''),
    ),
  ),
]

describe.each(['deploy/alerts.yaml', 'deploy/alerts.test.yaml', 'deploy/dashboard.json'])(
  '%s',
  (file) => {
    it('names only metrics that the gateway has', () => {
      const names = namesIn(read(file))
      expect(names.length).toBeGreaterThan(8)
      expect(names.filter((name) => !documented.has(name))).toEqual([])
    })
  },
)

describe('the alerts', () => {
  it('lead each to a paragraph of its own name in docs/operations.md', () => {
    const alerts = [
      ...read('deploy/alerts.yaml').matchAll(/- alert: (\w+)[\s\S]*?runbook: (\S+)/g),
    ].map(([, alert = '', runbook]) => ({ alert, runbook }))
    expect(alerts.length).toBeGreaterThan(7)
    for (const { alert, runbook } of alerts) {
      expect(runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`)
      expect(operations).toContain(`\n### ${alert}\n`)
    }
  })
})

describe('the dashboard', () => {
  it('has a title, a description, a unit and a query in each panel', () => {
    const { panels }: { panels: Panel[] } = JSON.parse(read('deploy/dashboard.json'))
    const drawn = panels.filter(({ type }) => type !== 'row')
    expect(drawn.length).toBeGreaterThan(10)
    for (const { title, description, fieldConfig, targets } of drawn) {
      for (const text of [title, description, fieldConfig?.defaults.unit]) {
        expect(text, title).toMatch(/\w/)
      }
      expect(targets, title).not.toEqual([])
    }
  })
})

interface Panel {
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } }
  readonly targets?: readonly { readonly expr: string }[]
}
