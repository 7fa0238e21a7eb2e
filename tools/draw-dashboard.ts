import { readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

/**
 * Draws deploy/dashboard.json as docs/dashboard.svg, from what a Prometheus has: `PROMETHEUS_URL=…
 * npm run docs:dashboard -- 10` for the last ten minutes. It asks each query of the dashboard as
 * Grafana does. A panel whose queries find nothing stops it.
 */

const WIDTH = 1_296
/** Grafana's grid has 24 columns, and rows of about 38 pixels. */
const COLUMN = WIDTH / 24
const ROW = 34
const COLOURS = [
  '#3b6fd4',
  '#d9822b',
  '#2f9e63',
  '#b5408f',
  '#7a6bd6',
  '#8a6d3b',
  '#c23b3b',
  '#4a7c8c',
]
const MOST_LINES = 8

const panel = z.object({
  type: z.enum(['row', 'stat', 'timeseries']),
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  fieldConfig: z
    .object({ defaults: z.object({ unit: z.string(), max: z.number().optional() }) })
    .optional(),
  targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
})
type Panel = z.infer<typeof panel>
const answer = z.object({
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string()])),
      }),
    ),
  }),
})

interface Line {
  readonly name: string
  readonly points: readonly (readonly [number, number])[]
}

const { PROMETHEUS_URL } = process.env
if (PROMETHEUS_URL === undefined) throw new Error('PROMETHEUS_URL must say where to ask')
const to = Date.now() / 1_000
const from = to - Number(process.argv[2] ?? 10) * 60

const ask = async (expr: string, legend: string): Promise<Line[]> => {
  const query = expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*')
  const asked = new URLSearchParams({ query, start: `${from}`, end: `${to}`, step: '5' })
  const reply = await fetch(`${PROMETHEUS_URL}/api/v1/query_range?${asked}`)
  if (!reply.ok) throw new Error(`${query}: ${await reply.text()}`)
  const { data } = answer.parse(await reply.json())
  return data.result.map(({ metric, values }) => ({
    name: legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '').trim(),
    points: values.flatMap(([at, value]) =>
      value === 'NaN' ? [] : [[at, Number(value)] as const],
    ),
  }))
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
const text = (x: number, y: number, size: number, words: string, more = ''): string =>
  `<text x="${x}" y="${y}" font-size="${size}" ${more}>${escaped(words)}</text>`

const shown = (value: number, unit: string): string => {
  if (unit === 'bytes') return `${(value / 1_024 ** 2).toFixed(0)} MiB`
  if (unit === 's') return value < 1 ? `${Math.round(value * 1_000)} ms` : `${value.toFixed(1)} s`
  if (unit === 'percentunit') return `${(value * 100).toFixed(0)} %`
  const number = Number.isInteger(value) ? `${value}` : value.toPrecision(2)
  return unit === 'reqps' ? `${number}/s` : number
}

const drawLines = (
  lines: readonly Line[],
  unit: string,
  fixedMax: number | undefined,
  w: number,
  h: number,
): string => {
  const highest = Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)))
  const max = fixedMax ?? (highest > 0 ? highest * 1.05 : 1)
  const [left, top, bottom] = [54, 30, h - 34]
  const x = (at: number): number => left + ((at - from) / (to - from)) * (w - left - 12)
  const y = (value: number): number => bottom - (Math.min(value, max) / max) * (bottom - top)
  const grid = [0, 0.5, 1].map((part) => {
    const at = y(part * max)
    return `<path d="M${left} ${at}H${w - 12}" stroke="#dfe3e8"/>${text(left - 6, at + 4, 10, shown(part * max, unit), 'text-anchor="end" fill="#68727f"')}`
  })
  const drawn = lines.map(({ points }, index) => {
    const path = points.map(
      ([at, value], first) =>
        `${first === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`,
    )
    return `<path d="${path.join('')}" fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.5"/>`
  })
  let at = left
  const legend = lines.map(({ name }, index) => {
    const label = `<rect x="${at}" y="${h - 18}" width="8" height="8" fill="${COLOURS[index % COLOURS.length]}"/>${text(at + 12, h - 10, 10, name, 'fill="#3c4652"')}`
    at += 22 + name.length * 5.6
    return label
  })
  return [...grid, ...drawn, ...legend].join('')
}

const draw = async ({ type, title, gridPos, fieldConfig, targets }: Panel): Promise<string> => {
  const [x, y, w, h] = [
    gridPos.x * COLUMN,
    gridPos.y * ROW,
    gridPos.w * COLUMN - 8,
    gridPos.h * ROW - 8,
  ]
  const { unit = 'none', max } = fieldConfig?.defaults ?? {}
  const place = (inner: string): string =>
    `<g transform="translate(${x + 4} ${y + 4})">${inner}</g>`
  if (type === 'row') return place(text(2, 18, 14, title, 'font-weight="600" fill="#1f2630"'))
  const lines = (
    await Promise.all(targets.map(({ expr, legendFormat }) => ask(expr, legendFormat)))
  ).flat()
  if (lines.length === 0) throw new Error(`${title}: its queries find nothing`)
  const frame = `<rect width="${w}" height="${h}" rx="4" fill="#fff" stroke="#dfe3e8"/>${text(12, 20, 12, title, 'font-weight="600" fill="#1f2630"')}`
  if (type === 'timeseries')
    return place(frame + drawLines(lines.slice(0, MOST_LINES), unit, max, w, h))
  const last = lines[0]?.points.at(-1)?.[1] ?? 0
  return place(
    frame + text(w / 2, h / 2 + 22, 34, shown(last, unit), 'text-anchor="middle" fill="#1f2630"'),
  )
}

const dashboard = z
  .object({ panels: z.array(panel) })
  .parse(JSON.parse(readFileSync(new URL('../deploy/dashboard.json', import.meta.url), 'utf8')))
const drawn = await Promise.all(dashboard.panels.map(draw))
const height = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW + 8
writeFileSync(
  new URL('../docs/dashboard.svg', import.meta.url),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif"><rect width="100%" height="100%" fill="#f4f6f8"/>${drawn.join('\n')}</svg>\n`,
)
