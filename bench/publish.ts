import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { type Bar, barChart } from './bar-chart.ts'
import { replaceTable } from './docs-table.ts'
import { print } from './processes.ts'

/** Puts the outcome of a benchmark where people read it. */

interface Outcome {
  /** Names the files. */
  readonly name: string
  /** The word after `npm run bench --`. Default: the name of the files. */
  readonly bench?: string
  readonly title: string
  /** What the figures are, for those who read the printed table. */
  readonly note: string
  /** The table in Markdown. */
  readonly table: string
  /** What the JSON file has besides. */
  readonly figures: Readonly<Record<string, unknown>>
  readonly chart: { readonly title: string; readonly bars: readonly Bar[]; readonly digits: number }
}

const DOCS = join(import.meta.dirname, '../docs/performance')

/** Makes a table in Markdown. */
export const markdown = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/**
 * Prints a table, and writes it as JSON, as a chart, and into docs/performance.md where the chart is
 * shown there.
 */
export const publish = (outcome: Outcome): void => {
  const { name, bench = name, title, note, table, figures, chart } = outcome
  const gibibytes = Math.round(totalmem() / 1_024 ** 3)
  const machine = `Node ${process.version}, ${availableParallelism()} cores, ${gibibytes} GiB`
  const date = new Date().toISOString().slice(0, 10)
  print(`${title}. ${note} ${machine}, ${date}`)
  print(table)
  replaceTable(name, table)
  mkdirSync(DOCS, { recursive: true })
  const json = { title, machine, date, command: `npm run bench -- ${bench}`, ...figures }
  const rounded = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Math.round(value * 100) / 100 : value
  writeFileSync(join(DOCS, `${name}.json`), `${JSON.stringify(json, rounded, 2)}\n`)
  writeFileSync(join(DOCS, `${name}.svg`), barChart(chart.title, chart.bars, chart.digits))
}
