import { describe, expect, it } from 'vitest'
import { matchesETag } from '../../../../src/http/status/conditional.ts'

describe('If-None-Match', () => {
  it.each(['"a"', 'W/"a"', '*', ' * ', '"b", "a"', '"b","a"', 'W/"b", W/"a"', '"x,y", "a"'])(
    '%s names the version "a"',
    (header) => {
      expect(matchesETag(header, '"a"')).toBe(true)
    },
  )

  // Regression: a tag with such a suffix was never answered with 304.
  it.each(['"a-gzip"', 'W/"a-gzip"', '"b", "a-br"', '"a--gzip"', '"a-zstd"', '"a;gzip"'])(
    '%s names the version "a" behind a proxy that compresses',
    (header) => {
      expect(matchesETag(header, '"a"')).toBe(true)
    },
  )

  it('names a version that ends like such a suffix', () => {
    expect(matchesETag('"a-gzip"', '"a-gzip"')).toBe(true)
    expect(matchesETag('"a-gzip-gzip"', '"a-gzip"')).toBe(true)
  })

  it.each([
    undefined,
    '',
    'a',
    '"b"',
    'W/"b"',
    '"A"',
    '"aa"',
    '"*"',
    '"b, a"',
    'w/x',
    '"a',
    '"a-x"',
    '"a-gzip',
    '"-gzip"',
  ])('%s does not name the version "a"', (header) => {
    expect(matchesETag(header, '"a"')).toBe(false)
  })
})
