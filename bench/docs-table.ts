import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FILE = join(import.meta.dirname, '../docs/performance.md')

/** Replaces the table below the chart of this name in docs/performance.md, if the chart is there. */
export const replaceTable = (name: string, table: string): void => {
  const text = readFileSync(FILE, 'utf8')
  const chart = text.indexOf(`(performance/${name}.svg)`)
  const from = text.indexOf('\n|', chart) + 1
  if (chart === -1 || from === 0) return
  const end = text.indexOf('\n\n', from)
  const rest = end === -1 ? '\n' : text.slice(end)
  writeFileSync(FILE, text.slice(0, from) + table + rest)
}
