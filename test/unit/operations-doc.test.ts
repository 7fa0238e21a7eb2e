import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { VARIABLES } from '../../src/config/variables.ts'
import { PROBLEMS, Problem } from '../../src/problems.ts'
import { EXIT_CONFIG } from '../../src/run.ts'
import { accessLine } from '../../src/telemetry/access-line.ts'

/** What docs/operations.md names must exist, so that people on call find what they look for. */
const project = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string) => readFile(join(project, file), 'utf8')

const REQUEST = {
  ...{
    requestId: 'r',
    traceId: 't',
    caller: 'crm',
    account: 'default',
    method: 'GET',
    route: '/',
    status: 200,
  },
  ...{ aborted: true, durationMs: 1, cacheStatus: 'lemlist-gateway; hit' },
  problem: new Problem('internal', 'x', { cause: new Error('y') }),
}

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

  it('has a row for every message that the sources log', async () => {
    const told = rowsOf(await read('docs/operations.md'), 'Logs').map(([quoted = '']) => quoted)
    const logged = new Set<string>()
    for await (const file of glob('src/**/*.ts', { cwd: project })) {
      const calls = (await read(file)).matchAll(
        /\b(?:(?:logger|log)(?:\.(?:info|warn|error|fatal|debug)|\[level\])|lineWriter)\(([^']*)'([^']+)'(?:\)|,\n\s*\))/g,
      )
      for (const [, , message = ''] of calls) logged.add(message)
    }
    expect(logged.size).toBeGreaterThan(10)
    expect([...logged].filter((message) => !told.includes(`\`${message}\``))).toEqual([])
  })

  it('names every field of the line of a request', async () => {
    const rows = rowsOf(await read('docs/operations.md'), 'Logs')
    const [, , fields = ''] = rows.find(([quoted]) => quoted === '`request`') ?? []
    const names = Object.keys(JSON.parse(`{${accessLine(REQUEST).slice(1)}}`))
    expect(names.length).toBeGreaterThan(11)
    for (const name of names) expect(fields).toContain(`\`${name}\``)
  })

  it('has a row for the exit code of a faulty configuration', async () => {
    const codes = rowsOf(await read('docs/operations.md'), 'Exit codes and signals').map(
      ([code]) => code,
    )
    expect(codes).toEqual(expect.arrayContaining(['0', '1', String(EXIT_CONFIG), 'SIGHUP']))
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
