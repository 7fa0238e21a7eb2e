import { readFileSync } from 'node:fs'
import { minifySync } from 'rolldown/utils'
import { expect, it } from 'vitest'

const source = readFileSync(new URL('../../../src/client/client.js', import.meta.url), 'utf8')

it('the client is under 6.5 KiB minified', () => {
  const { code, errors } = minifySync('client.js', source, { module: true })
  expect(errors).toEqual([])
  expect(code).toContain('watchExports')
  expect(Buffer.byteLength(code)).toBeLessThan(6.5 * 1024)
})

it('the client imports nothing', () => {
  expect(source).not.toMatch(/^import |\bimport\(['"]|\brequire\(/m)
})
