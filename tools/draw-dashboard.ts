import { readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { drawLines, type Line, shown, text } from './dashboard-svg.ts'

/**
 * Draws deploy/dashboard.json as docs/dashboard.svg, from what a Prometheus has: `PROMETHEUS_URL=…
 * npm run docs:dashboard -- 10` for the last ten minutes. It asks each query of the dashboard as
 * Grafana does, and stops when Prometheus does not understand one.
 */

const WIDTH = 1_296
/** Grafana's grid has 24 columns, and rows of about 38 pixels. */
const COLUMN = WIDTH / 24
const ROW = 34
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
  const found = (
    await Promise.all(targets.map(({ expr, legendFormat }) => ask(expr, legendFormat)))
  ).flat()
  // Those with the highest values come first, because the legend has no room for all.
  const peak = ({ points }: Line): number => Math.max(0, ...points.map(([, value]) => value))
  const lines = found.toSorted((one, other) => peak(other) - peak(one))
  const frame = `<rect width="${w}" height="${h}" rx="4" fill="#fff" stroke="#dfe3e8"/>${text(12, 20, 12, title, 'font-weight="600" fill="#1f2630"')}`
  if (lines.length === 0)
    return place(
      frame + text(w / 2, h / 2, 12, 'nothing yet', 'text-anchor="middle" fill="#68727f"'),
    )
  if (type === 'timeseries')
    return place(frame + drawLines(lines.slice(0, MOST_LINES), { from, to }, { unit, max, w, h }))
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
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif"><title>The panels of the dashboard</title><rect width="100%" height="100%" fill="#f4f6f8"/>${drawn.join('\n')}</svg>\n`,
)
