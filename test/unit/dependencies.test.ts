import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

/** What SECURITY.md and CONTRIBUTING.md say about the packages. */
const read = (file: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))

const versions = z.record(z.string(), z.string())
const manifest = z
  .object({ dependencies: versions, devDependencies: versions })
  .parse(read('package.json'))
const { packages } = z
  .object({
    packages: z.record(z.string(), z.object({ resolved: z.string().optional() })),
  })
  .parse(read('package-lock.json'))

describe('a package of the project', () => {
  it('is asked for in one exact version', () => {
    const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(all.length).toBeGreaterThan(20)
    const loose = all.filter(([, version]) => !/^(\d+\.\d+\.\d+|file:\.\/tools\/.+)$/.test(version))
    expect(loose).toEqual([])
  })

  it('is in the lockfile without the name of a registry', () => {
    const all = Object.entries(packages)
    expect(all.length).toBeGreaterThan(100)
    expect(all.filter(([, { resolved = '' }]) => resolved.includes('://'))).toEqual([])
  })
})
