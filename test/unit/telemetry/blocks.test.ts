import { describe, expect, it } from 'vitest'
import { createBlocks } from '../../../src/telemetry/blocks.ts'

const ROOM = 1_000_000

/** All blocks that there are, as text. */
const taken = (blocks: ReturnType<typeof createBlocks>): string[] => {
  const texts: string[] = []
  for (let block = blocks.take(); block !== undefined; block = blocks.take()) {
    texts.push(block.toString())
  }
  return texts
}

describe('blocks of text', () => {
  it('are whole when they have their bytes, and hold every text once and in order', () => {
    const blocks = createBlocks(100)
    const texts = Array.from({ length: 40 }, (_, index) => `line ${index}\n`)
    const wholeAfter: number[] = []
    for (const [index, text] of texts.entries()) {
      expect(blocks.add(text, ROOM)).toBe(text.length)
      if (blocks.hasWhole && wholeAfter.length === 0) wholeAfter.push(index)
    }
    // 10 lines of 7 bytes, and 4 of 8.
    expect(wholeAfter).toEqual([13])
    const parts = taken(blocks)
    expect(parts.length).toBeGreaterThan(2)
    expect(parts.join('')).toBe(texts.join(''))
  })

  it('count bytes, not letters, also of a text that is longer than a block', () => {
    const blocks = createBlocks(10)
    const long = '\u00fc\u20ac\u{1f600}'.repeat(5_000)
    expect(blocks.add('a', ROOM)).toBe(1)
    expect(blocks.add(long, ROOM)).toBe(45_000)
    expect(blocks.add('z', ROOM)).toBe(1)
    expect(taken(blocks).join('')).toBe(`a${long}z`)
  })

  it('refuse a text that has more bytes than there is room, and nothing else', () => {
    const blocks = createBlocks(10)
    expect([
      blocks.add('\u20ac\u20ac', 5),
      blocks.add('\u20aca', 4),
      blocks.add('abcd', 4),
    ]).toEqual([0, 4, 4])
    expect(taken(blocks).join('')).toBe('\u20acaabcd')
  })

  it('use the memory of a block again that is given back, and lose no text by that', () => {
    const blocks = createBlocks(10)
    const buffers = new Set<ArrayBufferLike>()
    for (let index = 0; index < 40; index += 1) {
      blocks.add(`line ${index}\n`, ROOM)
      const block = blocks.take()
      expect(block?.toString()).toBe(`line ${index}\n`)
      if (block === undefined) continue
      buffers.add(block.buffer)
      blocks.giveBack(block.subarray(3))
    }
    expect(buffers.size).toBe(2)
  })

  it('are none when nothing was added', () => {
    const blocks = createBlocks(10)
    expect([blocks.take(), blocks.hasWhole]).toEqual([undefined, false])
  })
})
