import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findProgram } from '../helpers/balancers.ts'
import { tempDirectory } from '../helpers/process.ts'

/** What `deploy/` asks Prometheus, checked by the program that Prometheus has for it. */

const DEPLOY = join(import.meta.dirname, '../../deploy')
const promtool = findProgram('promtool')
const missing = promtool === undefined ? 'promtool is not installed' : undefined
const skipped = missing !== undefined && process.env.CI !== 'true'

/** @throws with what it printed when it exits with another code than 0 */
const run = (...argv: string[]): string =>
  execFileSync(promtool ?? 'promtool', argv, { cwd: DEPLOY, encoding: 'utf8', stdio: 'pipe' })

/** The queries of the dashboard, with its variables set as Grafana sets them. */
const queries = (): string[] =>
  [...readFileSync(join(DEPLOY, 'dashboard.json'), 'utf8').matchAll(/"expr": (".*")/g)].map(
    ([, expr = '']) =>
      String(JSON.parse(expr)).replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
  )

const wordsAfter = (file: string, word: RegExp): string[] =>
  [...readFileSync(join(DEPLOY, file), 'utf8').matchAll(word)].map(([, found = '']) => found)

describe('the alerts', () => {
  it.skipIf(skipped)(`are rules that Prometheus can load${missing ? ` (${missing})` : ''}`, () => {
    expect(run('check', 'rules', 'alerts.yaml')).toContain('SUCCESS')
  })

  it.skipIf(skipped)(`fire on their trouble alone${missing ? ` (${missing})` : ''}`, () => {
    expect(run('test', 'rules', 'alerts.test.yaml')).toContain('SUCCESS')
  })

  it('are each played the trouble that they are for, and none is for nothing', () => {
    const alerts = wordsAfter('alerts.yaml', /- alert: (\w+)/g)
    const played = wordsAfter(
      'alerts.test.yaml',
      /alertname: (\w+)\n\s+exp_alerts:\n\s+- exp_labels/g,
    )
    expect(alerts.length).toBeGreaterThan(7)
    expect(new Set(played)).toEqual(new Set(alerts))
  })
})

describe('the dashboard', () => {
  it.skipIf(skipped)(`asks what Prometheus understands${missing ? ` (${missing})` : ''}`, () => {
    const rules = queries().map((expr, index) => ({ record: `panel:query:${index}`, expr }))
    expect(rules.length).toBeGreaterThan(15)
    // JSON is YAML.
    const file = join(tempDirectory(), 'rules.yaml')
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    expect(run('check', 'rules', file)).toContain(`${rules.length} rules found`)
  })
})
