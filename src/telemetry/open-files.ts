import { open } from 'node:fs/promises'
import { devNull } from 'node:os'
import type { Logger } from './log.ts'

/** How often the gateway looks whether a file can be opened, milliseconds. */
const LOOK_MS = 1_000
/** The shortest time between two warnings, milliseconds. */
const WARN_MS = 60_000

/**
 * Warns while the process has no file descriptor left. Node reports nothing then: new connections
 * wait in the kernel until another one closes.
 *
 * @returns a function that ends the watch
 */
export const watchOpenFiles = (
  logger: Logger,
  tryOpen: () => Promise<void> = openAndClose,
): (() => void) => {
  let warnedAt = Number.NEGATIVE_INFINITY
  const look = async (): Promise<void> => {
    try {
      await tryOpen()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code !== 'EMFILE' && code !== 'ENFILE') return
      if (performance.now() - warnedAt < WARN_MS) return
      warnedAt = performance.now()
      logger.warn({ code }, 'no file descriptor is left: new connections have to wait')
    }
  }
  const timer = setInterval(() => void look(), LOOK_MS).unref()
  return () => clearInterval(timer)
}

const openAndClose = async (): Promise<void> => {
  const file = await open(devNull)
  await file.close()
}
