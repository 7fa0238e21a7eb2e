/**
 * Adds up the JSON reports of Vitest that the command line names. It prints each test that passed only
 * at its second try, each report without tests, and one last line with the counts of all tests. It
 * exits with 1 when a test or a file failed, and also when a report is missing or has no tests: tests
 * that did not run prove nothing.
 */
import { readFileSync } from 'node:fs'

const say = (line) => process.stdout.write(`${line}\n`)

const read = (path) => {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8'))
    return report.numTotalTests > 0 ? report : undefined
  } catch {
    return undefined
  }
}

const sum = { passed: 0, failed: 0, skipped: 0 }
const paths = process.argv.slice(2)
let isSound = paths.length > 0

for (const path of paths) {
  const report = read(path)
  if (report === undefined) {
    say(`no tests in ${path}`)
    isSound = false
    continue
  }
  sum.passed += report.numPassedTests
  sum.failed += report.numFailedTests
  sum.skipped += report.numPendingTests + report.numTodoTests
  // A test file that cannot be loaded has no failed test, but its report is not a success.
  if (report.success !== true) isSound = false
  for (const { assertionResults } of report.testResults) {
    for (const { status, fullName, failureMessages } of assertionResults) {
      const isSecondTry = status === 'passed' && failureMessages.length > 0
      if (isSecondTry) say(`needed a second try: ${fullName}`)
    }
  }
}

say(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exitCode = isSound && sum.passed > 0 && sum.failed === 0 ? 0 : 1
