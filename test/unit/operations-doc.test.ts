import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { VARIABLES } from '../../src/config/variables.ts'
import { PROBLEMS } from '../../src/problems.ts'

/** What docs/operations.md names must exist, so that people on call find what they look for. */
const project = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string) => readFile(join(project, file), 'utf8')

const rowsOf = (text: string, heading: string): string[][] => {
  const [, section = ''] = text.split(`\n## ${heading}\n`)
  const [part = ''] = section.split('\n## ')
  const rows = part.split('\n').filter((line) => line.startsWith('|'))
  // The first two lines are the heads of the columns and the line below them.
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

describe('docs/operations.md', () => {
  it('quotes log messages exactly as the sources have them, each with a level', async () => {
    const rows = rowsOf(await read('docs/operations.md'), 'Logs')
    expect(rows.length).toBeGreaterThan(10)
    let sources = ''
    for await (const file of glob('src/**/*.ts', { cwd: project })) sources += await read(file)
    expect(sources).toContain('export const createApp')
    for (const [quoted = '', levels = ''] of rows) {
      const message = /^`(.+)`$/.exec(quoted)?.[1]
      expect(message, quoted).toBeDefined()
      expect(sources, quoted).toContain(`'${message}'`)
      expect(levels).toMatch(/^(info|warn|error|fatal)/)
    }
  })

  it('names only variables and problems that exist', async () => {
    const text = await read('docs/operations.md')
    const names = [...text.matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(=[^`]*)?`/g)].map(
      ([, name]) => name,
    )
    expect(names.length).toBeGreaterThan(10)
    for (const name of new Set(names)) expect(VARIABLES).toHaveProperty(String(name))
    const codes = [...text.matchAll(/50[0-9] `([a-z-]+)`/g)].map(([, code]) => code)
    expect(codes.length).toBeGreaterThan(3)
    for (const code of new Set(codes)) expect(PROBLEMS).toHaveProperty(String(code))
  })

  it('links only to files that exist', async () => {
    const text = await read('docs/operations.md')
    const links = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, link]) => String(link))
    expect(links.length).toBeGreaterThan(3)
    for (const link of links) expect(await read(join('docs', link)), link).not.toBe('')
  })
})
