import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tempDirectory } from '../helpers/process.ts'

const SCRIPT = join(import.meta.dirname, '../../.ci/sum-reports.mjs')

interface Counts {
  readonly passed?: number
  readonly failed?: number
  readonly skipped?: number
  readonly todo?: number
  readonly success?: boolean
  /** Names of tests that passed after a failure. */
  readonly late?: readonly string[]
}

/** A report in the form that Vitest writes, as far as the script reads it. */
const reportOf = ({ passed = 0, failed = 0, skipped = 0, todo = 0, late = [], ...more }: Counts) =>
  JSON.stringify({
    numTotalTests: passed + failed + skipped + todo,
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: skipped,
    numTodoTests: todo,
    success: more.success ?? failed === 0,
    testResults: [
      {
        assertionResults: [
          { status: 'passed', fullName: 'at once', failureMessages: [] },
          { status: 'failed', fullName: 'never', failureMessages: ['Error: twice'] },
          ...late.map((fullName) => ({ status: 'passed', fullName, failureMessages: ['Error'] })),
        ],
      },
    ],
  })

/** Runs the script on reports with these texts; `undefined` is a report that nobody wrote. */
const sum = (...texts: readonly (string | undefined)[]) => {
  const directory = tempDirectory()
  const paths = texts.map((text, number) => {
    const path = join(directory, `${number}.json`)
    if (text !== undefined) writeFileSync(path, text)
    return path
  })
  const { stdout, status } = spawnSync(process.execPath, [SCRIPT, ...paths], { encoding: 'utf8' })
  return { lines: stdout.trimEnd().split('\n'), status }
}

describe('the sum of test reports', () => {
  it('counts the tests of all reports in its last line', () => {
    const { lines, status } = sum(
      reportOf({ passed: 5, skipped: 1 }),
      reportOf({ passed: 2, todo: 1 }),
    )
    expect(lines).toEqual(['7 passed, 0 failed, 2 skipped'])
    expect(status).toBe(0)
  })

  it('names each test that needed a second try, before the counts', () => {
    const { lines, status } = sum(
      reportOf({ passed: 2, late: ['a late one'] }),
      reportOf({ passed: 3, late: ['another'] }),
    )
    expect(lines).toEqual([
      'needed a second try: a late one',
      'needed a second try: another',
      '5 passed, 0 failed, 0 skipped',
    ])
    expect(status).toBe(0)
  })

  it('fails when a test failed, or a file of tests', () => {
    expect(sum(reportOf({ passed: 5, failed: 1 })).status).toBe(1)
    expect(sum(reportOf({ passed: 5, success: false })).status).toBe(1)
  })

  it.each([
    ['is missing', undefined],
    ['is broken', '{"numTotalTests":'],
    ['tells of no test', reportOf({})],
  ])('fails when a report %s, and counts the others', (_, text) => {
    const { lines, status } = sum(reportOf({ passed: 5 }), text)
    expect(lines).toEqual([expect.stringMatching(/^no tests in .*1\.json$/), expect.any(String)])
    expect(lines.at(-1)).toBe('5 passed, 0 failed, 0 skipped')
    expect(status).toBe(1)
  })

  it('fails when there is no report at all', () => {
    expect(sum()).toEqual({ lines: ['0 passed, 0 failed, 0 skipped'], status: 1 })
  })
})
