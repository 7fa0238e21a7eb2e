/** A chart of horizontal bars, as SVG. */

export interface Bar {
  readonly name: string
  readonly value: number
}

const WIDTH = 760
const LEFT = 250
const BAR = 22
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

export const barChart = (title: string, bars: readonly Bar[], digits: number): string => {
  const most = Math.max(...bars.map(({ value }) => value))
  const drawn = bars.map(({ name, value }, index) => {
    const y = 44 + index * (BAR + 8)
    const width = (value / most) * (WIDTH - LEFT - 90)
    const colour = name.startsWith('gateway') ? '#3b6fd4' : '#9aa7b8'
    const label = `<text x="${LEFT - 8}" y="${y + 15}" text-anchor="end" font-size="12">${escaped(name)}</text>`
    const number = `<text x="${LEFT + width + 6}" y="${y + 15}" font-size="12">${value.toFixed(digits)}</text>`
    return `${label}<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3" fill="${colour}"/>${number}`
  })
  const height = 56 + bars.length * (BAR + 8)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" fill="#1f2630"><title>${escaped(title)}</title><rect width="100%" height="100%" fill="#fff"/><text x="12" y="24" font-size="14" font-weight="600">${escaped(title)}</text>${drawn.join('')}</svg>\n`
}
