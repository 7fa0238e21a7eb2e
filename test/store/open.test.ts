import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { closedAfterTest, tempDirectory } from './fixtures.ts'
import { LIMITS, VISIBILITY_MS } from './records.ts'

const open = async (url: string) =>
  closedAfterTest(await openStore(url, { limits: LIMITS, visibilityMs: VISIBILITY_MS }))

describe('STORE_URL', () => {
  it('memory: opens a store in memory', async () => {
    expect(await (await open('memory:')).healthy()).toBe(true)
  })

  it('sqlite: with an absolute path opens that file', async () => {
    const path = join(tempDirectory(), 'a.sqlite')
    await open(`sqlite:${path}`)
    expect(existsSync(path)).toBe(true)
  })

  it('sqlite: with three slashes opens that file too', async () => {
    const path = join(tempDirectory(), 'a.sqlite')
    await open(`sqlite://${path}`)
    expect(existsSync(path)).toBe(true)
  })

  it('sqlite: with a relative path counts it from the working directory', async () => {
    const path = join(tempDirectory(), 'a.sqlite')
    await open(`sqlite:${relative(process.cwd(), path)}`)
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
  ])('%j is refused', async (url) => {
    await expect(open(url)).rejects.toThrow(/^STORE_URL /)
  })

  it('of another kind is refused without telling its password', async () => {
    await expect(open('mysql://user:secret@host/x')).rejects.toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })
})
