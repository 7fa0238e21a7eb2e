import { describe, expect, it } from 'vitest'
import { waitPreference } from '../../../../src/http/status/preference.ts'

describe('Prefer: wait', () => {
  it.each([
    ['wait=0', 0],
    ['wait=1', 1],
    ['wait=10', 10],
    ['wait=60', 60],
    ['wait=007', 7],
    ['WAIT=5', 5],
    [' wait = 5 ', 5],
    ['wait="5"', 5],
    ['wait=5; foo', 5],
    ['wait=5;foo="a, b"', 5],
    ['respond-async, wait=5', 5],
    ['respond-async,wait=5,handling=lenient', 5],
    ['foo="a\\", b", wait=5', 5],
    ['wait=5, wait=10', 5],
    [['respond-async', 'wait=5'], 5],
  ])('%j asks for %d s', (header, seconds) => {
    expect(waitPreference(header)).toBe(seconds)
  })

  it.each(['wait=61', 'wait=3600', 'wait=99999999999999999999', `wait=${'9'.repeat(40)}`])(
    '%s counts as 60',
    (header) => {
      expect(waitPreference(header)).toBe(60)
    },
  )

  it.each([
    undefined,
    '',
    ',',
    'wait',
    'wait=',
    'wait=""',
    'wait=-1',
    'wait=1.5',
    'wait=1e3',
    'wait=0x10',
    'wait=abc',
    'wait="5',
    'wait=5"',
    'wait=5 s',
    'wait 5',
    'await=5',
    'wait-5',
    'respond-async; wait=5',
    'wait, wait=5',
    'wait=abc, wait=5',
  ])('%j is ignored, since it is no such preference or malformed', (header) => {
    expect(waitPreference(header)).toBeUndefined()
  })

  it('is not found inside a quoted string', () => {
    expect(waitPreference('foo="a, wait=5, b"')).toBeUndefined()
    expect(waitPreference('foo="a, wait=5')).toBeUndefined()
  })

  it('is read quickly even from a header that was made to be slow', () => {
    const startedAt = performance.now()
    for (const part of ['wait=', '"', '\\"', ' ', 'wait ', ',', '; '])
      waitPreference(part.repeat(8_000))
    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})
