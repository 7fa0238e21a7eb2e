import { median } from './processes.ts'
import { markdown, publish } from './publish.ts'

/** Publishes a benchmark that measures several sides in several rounds. */

export interface Row {
  readonly name: string
  /** The figures of each round, in the order of the columns. Empty = the peer is not installed. */
  readonly rounds: readonly (readonly number[])[]
}

interface Column {
  readonly name: string
  readonly digits: number
  /** Whether no ratios to the first row stand beside it. Default false. */
  readonly isAlone?: boolean
}

interface Report {
  /** Names the files. */
  readonly name: string
  readonly title: string
  readonly columns: readonly Column[]
  /** The first row is the one that the others are compared with. */
  readonly rows: readonly Row[]
  /** The column that the chart shows. */
  readonly charted: number
}

/** The median of some figures, with the least and the most of them. */
export const spread = (values: readonly number[], digits: number): string =>
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
  const heads = columns.flatMap((column) => [
    column.name,
    ...(column.isAlone === true ? [] : [`beside ${base.name}`]),
  ])
  const lines = rows.map((row) => {
    if (row.rounds.length === 0) {
      return [row.name, 'not installed', ...Array.from({ length: heads.length - 1 }, () => '')]
    }
    const cells = columns.flatMap(({ digits, isAlone }, column) => {
      const values = row.rounds.map((figures) => figures[column] ?? Number.NaN)
      const beside = isAlone === true ? [] : [spread(ratios(row, base, column), 2)]
      return [spread(values, digits), ...beside]
    })
    return [row.name, ...cells]
  })
  const bars = rows
    .filter(({ rounds }) => rounds.length > 0)
    .map((row) => ({
      name: row.name,
      value: median(row.rounds.map((figures) => figures[charted] ?? Number.NaN)),
    }))
  const { name: shown, digits = 0 } = columns[charted] ?? {}
  publish({
    ...{ name, title, note: `Medians, least and most of ${base.rounds.length} rounds.` },
    ...{ table: markdown(['', ...heads], lines), figures: { columns, rows } },
    chart: { title: `${title}: ${shown}`, bars, digits },
  })
}
