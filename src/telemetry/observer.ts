import type { Observer } from '../exports/ports.ts'
import type { Logger } from './log.ts'

/** What the domain sees, as log lines. */
export const observerOf = (logger: Logger): Observer => ({
  drift: (kind) => logger.warn({ kind }, 'lemlist said something that it has not documented'),
  storeFailed: (operation, error) => logger.error({ operation, err: error }, 'the store failed'),
  failed: (operation, error) => logger.error({ operation, err: error }, 'a bug'),
})

/** What a store does of its own accord, as log lines. */
export const storeObserverOf = (logger: Logger) => ({
  storeFailed: observerOf(logger).storeFailed,
  onCorrupt: (movedTo: string) =>
    logger.error({ movedTo }, 'the store was corrupt: moved aside, a new one begins'),
  onEvicting: (policy: string) =>
    logger.warn({ policy }, 'Redis may drop what must be kept: set maxmemory-policy noeviction'),
  onSwitch: (to: 'away' | 'back') =>
    logger.warn(to === 'away' ? 'Redis is away: this replica stands in' : 'Redis is back'),
})
