import { describe, expect, it } from 'vitest'
import { matchesETag } from '../../../../src/http/status/conditional.ts'

describe('If-None-Match', () => {
  it.each(['"a"', 'W/"a"', '*', ' * ', '"b", "a"', '"b","a"', 'W/"b", W/"a"', '"x,y", "a"'])(
    '%s names the version "a"',
    (header) => {
      expect(matchesETag(header, '"a"')).toBe(true)
    },
  )

  it.each([undefined, '', 'a', '"b"', 'W/"b"', '"A"', '"aa"', '"*"', '"b, a"', 'w/x', '"a'])(
    '%s does not name the version "a"',
    (header) => {
      expect(matchesETag(header, '"a"')).toBe(false)
    },
  )
})
