import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Report } from '../test/helpers/simulation/report.ts'
import { type Scenario, simulate } from '../test/helpers/simulation/simulation.ts'
import { print } from './processes.ts'

/**
 * Runs the poll schedule on virtual time. It prints how evenly the schedule spreads the budget over
 * the exports, and how late a watcher learns of an end. The same seed gives the same figures on
 * every machine.
 */

const MINUTE_MS = 60_000
const NEVER = { medianMs: Number.POSITIVE_INFINITY }

const SCENARIOS: Readonly<Record<string, Omit<Scenario, 'storeUrl' | 'seed'>>> = {
  '300 watched': { watched: 300, medianMs: MINUTE_MS, runMs: 15 * MINUTE_MS },
  '300 watched that never end': { watched: 300, ...NEVER, runMs: 10 * MINUTE_MS },
  '2 000 watched': { watched: 2_000, medianMs: 15 * MINUTE_MS, runMs: 30 * MINUTE_MS },
  '2 000 watched that never end': { watched: 2_000, ...NEVER, runMs: 20 * MINUTE_MS },
  '1 watched, 2 000 idle': {
    ...{ watched: 1, medianMs: MINUTE_MS, idle: 2_000, idleMedianMs: 20 * MINUTE_MS },
    runMs: 30 * MINUTE_MS,
  },
  '50 watched': { watched: 50, medianMs: MINUTE_MS, runMs: 15 * MINUTE_MS },
  '50 watched, 10 000 unknown ids': {
    ...{ watched: 50, medianMs: MINUTE_MS, unknown: 10_000, runMs: 15 * MINUTE_MS },
  },
}
/**
 * Three replicas share one store. Redis cannot be that store, because it has a clock of its own.
 */
const TROUBLE: Omit<Scenario, 'storeUrl' | 'seed'> = {
  ...{ replicas: 3, watched: 300, medianMs: MINUTE_MS, idle: 200, idleMedianMs: 10 * MINUTE_MS },
  ...{ unknown: 300, trouble: true, runMs: 30 * MINUTE_MS },
}

export const printReport = (name: string, report: Report): void => {
  const { calls, busiest, lateUnknown, doubles, failures } = report
  print(`${name}:`)
  print(
    `  calls: ${calls.watched} watched, ${calls.idle} idle, ${calls.unconfirmed} unconfirmed; at most ${busiest} in 2 s; ${doubles} doubles`,
  )
  if (calls.unconfirmed > 0) {
    print(`  ${lateUnknown} calls for unknown ids later than 2 s after their streams`)
  }
  for (const kind of ['watched', 'idle'] as const) {
    const { exports, fewest, median, most, ...rest } = report[kind]
    if (exports > 0) {
      print(
        `  ${kind}: looks at each of ${exports}: ${fewest} to ${most}, median ${median}; gaps ${seconds(rest.shortestGap)} to ${seconds(rest.longestGap)}`,
      )
    }
    if (rest.ended > 0) {
      print(
        `  ${kind}: delay of ${rest.ended} ends: mean ${seconds(rest.meanDelay)}, p95 ${seconds(rest.p95Delay)}; at most ${seconds(rest.beyondInterval)} more than the export's own interval`,
      )
    }
  }
  for (const failure of failures) print(`  failed: ${failure}`)
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

export const measureSchedule = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-schedule-'))
  try {
    for (const [index, [name, scenario]] of Object.entries(SCENARIOS).entries()) {
      for (const storeUrl of ['memory:', `sqlite:${join(directory, `${index}.db`)}`]) {
        const report = await simulate({ ...scenario, storeUrl, seed: 7 })
        printReport(`${name}, ${storeUrl.split(':')[0]}`, report)
      }
    }
    const troubled = await simulate({ ...TROUBLE, storeUrl: 'memory:', seed: 7 })
    printReport('trouble, 3 replicas', troubled)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
