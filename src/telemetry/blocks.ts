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
  /**
   * Takes back a block whose text is written, or a part of that block. Its memory is used again. Nobody may
   * read it after that.
   */
  giveBack(block: Buffer): void
}

/** UTF-8 has at most three bytes for each code unit of a string. */
const MOST_BYTES = 3

/** @param bytes a block with so many bytes is full */
export const createBlocks = (bytes: number): Blocks => {
  /** Beyond the bytes that make a block full there is room for one line of a usual length. */
  const size = bytes + 4_096
  const whole: Buffer[] = []
  // What was in this memory before is never read: only what was written over it leaves.
  const allocate = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes)
  /** Under load, one block is filled while another one is written. The C library is slow to give new ones. */
  let spare: Buffer | undefined
  let block = allocate(size)
  let used = 0

  const close = (): void => {
    if (used === 0) return
    whole.push(block.subarray(0, used))
    block = spare ?? allocate(size)
    spare = undefined
    used = 0
  }

  return {
    add: (text, room) => {
      const most = text.length * MOST_BYTES
      if (most > room && Buffer.byteLength(text) > room) return 0
      if (used + most > block.length) close()
      if (most > block.length) block = allocate(most)
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
    giveBack: ({ buffer }) => {
      if (buffer.byteLength === size) spare = Buffer.from(buffer)
    },
  }
}
