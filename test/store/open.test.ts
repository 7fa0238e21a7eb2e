import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { closedAfterTest, tempDirectory } from './fixtures.ts'
import { LIMITS, VISIBILITY_MS } from './records.ts'

const open = (url: string) =>
  closedAfterTest(openStore(url, { limits: LIMITS, visibilityMs: VISIBILITY_MS }))

describe('STORE_URL', () => {
  it('memory: opens a store in memory', async () => {
    expect(await open('memory:').healthy()).toBe(true)
  })

  it('sqlite: with an absolute path opens that file', () => {
    const path = join(tempDirectory(), 'a.sqlite')
    open(`sqlite:${path}`)
    expect(existsSync(path)).toBe(true)
  })

  it('sqlite: with three slashes opens that file too', () => {
    const path = join(tempDirectory(), 'a.sqlite')
    open(`sqlite://${path}`)
    expect(existsSync(path)).toBe(true)
  })

  it('sqlite: with a relative path counts it from the working directory', () => {
    const path = join(tempDirectory(), 'a.sqlite')
    open(`sqlite:${relative(process.cwd(), path)}`)
    expect(existsSync(path)).toBe(true)
  })

  it.each([
    'sqlite:',
    'sqlite://data/a.sqlite',
    'sqlite::memory:',
    'memory',
    'memory:x',
    '',
    'data/a.sqlite',
  ])('%j is refused', (url) => {
    expect(() => open(url)).toThrow(/^STORE_URL /)
  })

  it('of another kind is refused without telling its password', () => {
    expect(() => open('mysql://user:secret@host/x')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })
})
