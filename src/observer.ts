import type { Logger } from 'pino'
import type { Observer } from './exports/ports.ts'

/** What the domain sees, as log lines. */
export const observerOf = (logger: Logger): Observer => ({
  drift: (kind) => logger.warn({ kind }, 'lemlist said something that it has not documented'),
  storeFailed: (operation, error) => logger.error({ operation, err: error }, 'the store failed'),
  failed: (operation, error) => logger.error({ operation, err: error }, 'a bug'),
})
