/**
 * Text that is encoded as it comes, in blocks of bytes. A text that is kept as a string until it is
 * written costs more than its bytes: it holds all the pieces that it was put together from, and the
 * garbage collector copies them.
 */
export interface Blocks {
  /**
   * Takes a text that has at most `room` bytes.
   *
   * @returns how many bytes it has; 0 when there is no room for it
   */
  add(text: string, room: number): number
  /** True when a block is full. */
  readonly hasWhole: boolean
  /** The oldest block, which may not be full. Undefined when there is none. */
  take(): Buffer | undefined
}

/** UTF-8 has at most three bytes for each code unit of a string. */
const MOST_BYTES = 3

/** @param bytes a block with so many bytes is full */
export const createBlocks = (bytes: number): Blocks => {
  /** Beyond the bytes that make a block full there is room for one line of a usual length. */
  const size = bytes + 4_096
  const whole: Buffer[] = []
  // What was in this memory before is never read: only what was written over it leaves.
  let block = Buffer.allocUnsafe(size)
  let used = 0

  const close = (): void => {
    if (used === 0) return
    whole.push(block.subarray(0, used))
    block = Buffer.allocUnsafe(size)
    used = 0
  }

  return {
    add: (text, room) => {
      const most = text.length * MOST_BYTES
      if (most > room && Buffer.byteLength(text) > room) return 0
      if (used + most > block.length) close()
      if (most > block.length) block = Buffer.allocUnsafe(most)
      const written = block.write(text, used)
      used += written
      if (used >= bytes) close()
      return written
    },
    get hasWhole() {
      return whole.length > 0
    },
    take: () => {
      if (whole.length === 0) close()
      return whole.shift()
    },
  }
}
