/** Draws lines, numbers and titles of a dashboard's panels as SVG. */

export interface Line {
  readonly name: string
  /** Seconds since the epoch, and the value. */
  readonly points: readonly (readonly [number, number])[]
}

export interface Span {
  readonly from: number
  readonly to: number
}

interface Shape {
  readonly unit: string
  /** Default: a little more than the highest value. */
  readonly max: number | undefined
  readonly w: number
  readonly h: number
}

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

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
export const text = (x: number, y: number, size: number, words: string, more = ''): string =>
  `<text x="${x}" y="${y}" font-size="${size}" ${more}>${escaped(words)}</text>`

export const shown = (value: number, unit: string): string => {
  if (unit === 'bytes') return `${(value / 1_024 ** 2).toFixed(0)} MiB`
  if (unit === 's') return value < 1 ? `${Math.round(value * 1_000)} ms` : `${value.toFixed(1)} s`
  if (unit === 'percentunit') return `${(value * 100).toFixed(0)} %`
  const number = Number.isInteger(value) || value >= 10 ? value.toFixed(0) : value.toPrecision(2)
  return unit === 'reqps' ? `${number}/s` : number
}

export const drawLines = (
  lines: readonly Line[],
  { from, to }: Span,
  { unit, max: fixedMax, w, h }: Shape,
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
    if (at > w) return ''
    return label
  })
  return [...grid, ...drawn, ...legend].join('')
}
