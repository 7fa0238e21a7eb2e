/**
 * Looks for known vulnerabilities in what runs in production. It exits with 1 when one of them is
 * high or critical, or when nobody can tell. It exits with 77 when the registry refuses to audit: a
 * mirror often has no such endpoint. Run it in the folder of the lock file.
 */
import { spawnSync } from 'node:child_process'

const SKIPPED = 77
const say = (line) => process.stdout.write(`${line}\n`)

const { stdout, stderr } = spawnSync(
  'npm',
  ['audit', '--omit=dev', '--package-lock-only', '--json', '--fetch-retries=1'],
  { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 },
)

const read = () => {
  try {
    return JSON.parse(stdout)
  } catch {
    return {}
  }
}
const report = read()
const counts = report.metadata?.vulnerabilities

if (counts !== undefined) {
  for (const { name, severity, range } of Object.values(report.vulnerabilities ?? {})) {
    say(`${severity}: ${name} ${range}`)
  }
  say(`${counts.critical} critical, ${counts.high} high, ${counts.total} in all`)
  process.exitCode = counts.critical + counts.high > 0 ? 1 : 0
} else if (refuses(report.statusCode)) {
  say(`skipped: the registry has no audit (it answered ${report.statusCode})`)
  process.exitCode = SKIPPED
} else {
  say(`the audit failed: ${report.message ?? report.error?.summary ?? stderr}`)
  process.exitCode = 1
}

/**
 * Whether the registry does not know this kind of request (4xx or 501). A registry that is away,
 * busy or slow (408, 429, 5xx) may have an audit, so that is a failure.
 */
function refuses(status) {
  return status === 501 || (status >= 400 && status < 500 && status !== 408 && status !== 429)
}
