import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { barChart } from './bar-chart.ts'
import { median, print } from './processes.ts'

/** Prints the table of a benchmark, and writes it as JSON and as a chart for docs/performance.md. */

export interface Row {
  readonly name: string
  /** The figures of each round, in the order of the columns. Empty = the peer is not installed. */
  readonly rounds: readonly (readonly number[])[]
}

interface Report {
  /** Names the files. */
  readonly name: string
  readonly title: string
  readonly columns: readonly { readonly name: string; readonly digits: number }[]
  /** The first row is the one that the others are compared with. */
  readonly rows: readonly Row[]
  /** The column that the chart shows. */
  readonly charted: number
}

const DOCS = join(import.meta.dirname, '../docs/performance')

const spread = (values: readonly number[], digits: number): string =>
  values.some((value) => !Number.isFinite(value))
    ? '–'
    : `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`

/** The ratios of each round to the same round of the first row. */
export const ratios = (row: Row, base: Row, column: number): number[] =>
  row.rounds.flatMap((figures, round) => {
    const [one, other] = [figures[column], base.rounds[round]?.[column]]
    return one === undefined || other === undefined ? [] : [one / other]
  })

export const report = ({ name, title, columns, rows, charted }: Report): void => {
  const [base] = rows
  if (base === undefined) throw new Error('a report without rows')
  const machine = `Node ${process.version}, ${availableParallelism()} cores, ${Math.round(totalmem() / 1_024 ** 3)} GiB`
  const lines = rows.map((row) => {
    if (row.rounds.length === 0)
      return `| ${row.name} | not installed |${' |'.repeat(2 * columns.length - 1)}`
    const cells = columns.flatMap(({ digits }, column) => [
      spread(
        row.rounds.map((figures) => figures[column] ?? Number.NaN),
        digits,
      ),
      spread(ratios(row, base, column), 2),
    ])
    return `| ${row.name} | ${cells.join(' | ')} |`
  })
  const heads = columns.flatMap((column) => [column.name, `beside ${base.name}`])
  const table = [`| | ${heads.join(' | ')} |`, `|---|${'---|'.repeat(heads.length)}`, ...lines]
  print(
    `${title}. Medians, least and most of ${base.rounds.length} rounds. ${machine}, ${new Date().toISOString().slice(0, 10)}`,
  )
  print(table.join('\n'))
  mkdirSync(DOCS, { recursive: true })
  const json = {
    title,
    machine,
    date: new Date().toISOString().slice(0, 10),
    command: `npm run bench -- ${name}`,
    columns,
    rows,
  }
  const rounded = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Math.round(value * 100) / 100 : value
  writeFileSync(join(DOCS, `${name}.json`), `${JSON.stringify(json, rounded, 2)}\n`)
  const bars = rows
    .filter(({ rounds }) => rounds.length > 0)
    .map((row) => ({
      name: row.name,
      value: median(row.rounds.map((figures) => figures[charted] ?? Number.NaN)),
    }))
  writeFileSync(
    join(DOCS, `${name}.svg`),
    barChart(`${title}: ${columns[charted]?.name}`, bars, columns[charted]?.digits ?? 0),
  )
}
