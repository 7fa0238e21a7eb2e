import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { promisify } from 'node:util'

/** Takes bytes. Neither function ever stops the event loop for longer than a copy takes. */
export interface Sink {
  /**
   * Writes the beginning of a chunk, as much as fits now.
   *
   * @returns how many bytes were written
   * @throws the error of write(2), such as `EAGAIN` when nothing fits now
   */
  write(chunk: Buffer): Promise<number>
  /** The same at once, for a process that ends. */
  writeNow(chunk: Buffer): number
}

const writeInThread = promisify(write)

/**
 * Opens standard output (1) or standard error (2) so that a write never blocks the process. A
 * blocked write in a thread of Node would be as bad as one in the event loop: a process that ends
 * waits for its threads, so it would never end.
 */
export const openDescriptor = (fd: 1 | 2): Sink => {
  if (isatty(fd)) {
    const terminal = openTerminal(fd)
    return terminal === undefined ? inThread(fd) : atOnce(terminal)
  }
  const kind = fstatSync(fd)
  if (kind.isFIFO() || kind.isSocket()) {
    // Node makes a pipe and a socket non-blocking when it creates the stream of the descriptor. It
    // has no other call for that. Nothing is written through the stream: after a reader that left,
    // it would refuse everything for good, and a FIFO can get a new reader.
    void (fd === 1 ? process.stdout : process.stderr)
    return atOnce(fd)
  }
  // A file never answers EAGAIN, and a slow disk makes the writer wait.
  return inThread(fd)
}

const atOnce = (fd: number): Sink => ({
  write: async (chunk) => writeSync(fd, chunk),
  writeNow: (chunk) => writeSync(fd, chunk),
})

const inThread = (fd: number): Sink => ({
  write: async (chunk) => (await writeInThread(fd, chunk)).bytesWritten,
  writeNow: (chunk) => writeSync(fd, chunk),
})

/**
 * Opens the terminal once more, non-blocking. The shell shares the first descriptor, so its mode
 * must stay as it is. A terminal blocks its writers after Ctrl-S. Undefined on systems without
 * `/proc`.
 */
const openTerminal = (fd: number): number | undefined => {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return undefined
  }
}
