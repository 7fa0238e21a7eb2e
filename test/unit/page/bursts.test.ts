import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

/** The page shows news together, at most once a second. */

type InBursts = (show: (changed: readonly string[]) => void) => (one: string) => void
const address = new URL('../../../src/page/bursts.js', import.meta.url).href
// A cast, because the type check of the tests does not read the JavaScript of the page.
const { inBursts } = (await import(address)) as { readonly inBursts: InBursts }

const screen = { hidden: false }

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'performance'] })
  vi.stubGlobal('document', screen)
  screen.hidden = false
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const start = () => {
  const shown: string[] = []
  const take = inBursts((all) => void shown.push(all.join('+')))
  return { shown, take }
}

describe('news of the page', () => {
  it('are shown at once after a rest, those of one moment together', () => {
    const { shown, take } = start()
    take('a')
    take('b')
    vi.advanceTimersByTime(0)
    expect(shown).toEqual(['a+b'])
  })

  it('wait while others have just been shown, and none is lost', () => {
    const { shown, take } = start()
    take('a')
    vi.advanceTimersByTime(100)
    take('b')
    vi.advanceTimersByTime(800)
    take('c')
    expect(shown).toEqual(['a'])
    vi.advanceTimersByTime(100)
    expect(shown).toEqual(['a', 'b+c'])
  })

  it('do not wait while nobody sees the page, where a browser holds timers back', () => {
    const { shown, take } = start()
    take('a')
    screen.hidden = true
    take('b')
    vi.advanceTimersByTime(0)
    take('c')
    expect(shown).toEqual(['a+b', 'c'])
  })
})
