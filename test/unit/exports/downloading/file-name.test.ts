import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileNameOf } from '../../../../src/exports/downloading/file-name.ts'
import { aimed, HOSTILE_URLS } from '../../../helpers/hostile-urls.ts'

const BASES = ['http://127.0.0.1:4000/api', 'https://api.lemlist.com/api']
const at = (name: string, base = BASES[0]): string => `${base}/files/exports/${name}`

describe('the name of a file', () => {
  it.each([
    ['fil_axp_7guBefhehehe.csv', 'fil_axp_7guBefhehehe.csv'],
    [
      'fil_axp_A_updated_campaign_3be50db3-ebd4.csv',
      'fil_axp_A_updated_campaign_3be50db3-ebd4.csv',
    ],
    ['fil_axp_A_%C3%A9t%C3%A9_2024.csv', 'fil_axp_A_été_2024.csv'],
    ['fil_axp_A_été_2024.csv', 'fil_axp_A_été_2024.csv'],
    ['fil_axp_A_%E6%98%A5.csv', 'fil_axp_A_春.csv'],
    ['fil_axp_A_%F0%9F%9A%80.csv', 'fil_axp_A_🚀.csv'],
    // Regression: names with invisible joiners, which some scripts need, were refused.
    ['fil_axp_A_می\u200cخواهم.csv', 'fil_axp_A_می\u200cخواهم.csv'],
    ['a%20b.csv', 'a b.csv'],
    ["a'b(c)!*~.csv", "a'b(c)!*~.csv"],
    ['a%3Fb%23c.csv', 'a?b#c.csv'],
    ['a;b&c=d+e,f@g:h$.csv', 'a;b&c=d+e,f@g:h$.csv'],
    ['...', '...'],
    ['..csv', '..csv'],
    ['x'.repeat(255), 'x'.repeat(255)],
  ])('in %s is %s', (written, name) => {
    for (const base of BASES) expect(fileNameOf(at(written, base), BASES)).toBe(name)
  })

  it.each(HOSTILE_URLS.map((url) => [JSON.stringify(url) ?? 'undefined', url] as const))(
    'is not taken from %s',
    (_, url) => {
      for (const base of BASES) {
        const hosts = { base, evil: 'evil.test' }
        expect(fileNameOf(aimed(url, hosts), BASES)).toBeUndefined()
      }
    },
  )

  it('is not taken from a URL below an unknown base', () => {
    expect(fileNameOf(at('a.csv'), BASES.slice(1))).toBeUndefined()
    expect(fileNameOf(at('a.csv'), [])).toBeUndefined()
  })

  it('is tested with more than eighty hostile URLs, each of them once', () => {
    expect(new Set(HOSTILE_URLS).size).toBe(HOSTILE_URLS.length)
    expect(HOSTILE_URLS.length).toBeGreaterThan(80)
  })
})

describe('whatever a status says', () => {
  const parts = fc.constantFrom(
    ...BASES,
    ...[
      '/files/exports/',
      '/',
      '\\',
      '..',
      '.',
      '%2e',
      '%2f',
      '%5c',
      '%25',
      '%',
      '?',
      '#',
      '@',
      ':',
    ],
    ...['．', '／', '\u200b', '\t', '\n', ' ', 'a', 'é', '%C3%A9', 'fil_axp_A.csv', 'evil.test'],
  )
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary' }).map((name) => at(name)),
    fc.array(parts, { maxLength: 12 }).map((some) => some.join('')),
    fc.array(parts, { maxLength: 12 }).map((some) => at(some.join(''))),
    fc.anything(),
  )

  it('the gateway fetches a path one segment below the folder of files', () => {
    let found = 0
    const isOneSegment = (url: unknown): void => {
      const name = fileNameOf(url, BASES)
      if (name === undefined) return
      found += 1
      const path = `/api/files/exports/${encodeURIComponent(name)}`
      // One reader keeps the percent-encoding. The other decodes the path before it parses it.
      for (const read of [new URL(path, BASES[0]), new URL(decodeURI(path), BASES[0])]) {
        expect(read.origin).toBe('http://127.0.0.1:4000')
        expect(read.pathname.split('/').slice(0, 4)).toEqual(['', 'api', 'files', 'exports'])
        expect(read.pathname.split('/')).toHaveLength(5)
      }
      expect(path).toMatch(/^\/api\/files\/exports\/[\w.!~*'()%-]+$/)
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
    }
    fc.assert(fc.property(anything, isOneSegment), { numRuns: 20_000 })
    expect(found).toBeGreaterThan(100)
  })

  it('a valid name is read from its own link, byte for byte', () => {
    const good = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((name) => name.isWellFormed() && !/[/\\%\p{Cc}]/u.test(name.normalize('NFKC')))
      .filter((name) => !/^\.{0,2}$/.test(name.normalize('NFKC').replace(/\p{Cf}/gu, '')))
      .filter((name) => Buffer.byteLength(name) <= 255)
    const isFound = (name: string): void => {
      expect(fileNameOf(at(encodeURIComponent(name)), BASES)).toBe(name)
    }
    fc.assert(fc.property(good, isFound), { numRuns: 5_000 })
  })
})
