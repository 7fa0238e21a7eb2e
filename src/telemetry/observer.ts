import type { Observer } from '../exports/ports.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { PressureLevel } from './pressure.ts'
import type { Load } from './process-load.ts'

/** Writes to the log, and counts, what the domain of an account reports. */
export const observerOf = (logger: Logger, account?: string, metrics?: Metrics): Observer => ({
  drift: (kind) => {
    metrics?.drift(kind)
    logger.warn({ account, kind }, 'lemlist said something that it has not documented')
  },
  storeFailed: (operation, error) => {
    metrics?.storeFailed(operation)
    logger.error({ account, operation, err: error }, 'the store failed')
  },
  ...(metrics && { pollLag: metrics.pollLag, detected: metrics.detected }),
  scheduleFull: (exports) =>
    logger.warn(
      { account, exports },
      'the schedule is full: the gateway does not follow these exports',
    ),
  failed: (operation, error) =>
    logger.error(
      { account, operation, err: error },
      'an operation failed because of an unexpected error',
    ),
})

/** Writes to the log what a store reports outside of any call. */
export const storeObserverOf = (logger: Logger, metrics?: Metrics) => ({
  storeFailed: observerOf(logger, undefined, metrics).storeFailed,
  onCorrupt: (movedTo: string) =>
    logger.error(
      { movedTo },
      'the store file was damaged: the gateway moved it aside and began a new one',
    ),
  onOpenDirectory: (directory: string) =>
    logger.warn(
      { directory },
      'everybody may write to the directory of the store file, and so may replace the file',
    ),
  onNearlyFull: (usedBytes: number, maxBytes: number) =>
    logger.warn(
      { usedBytes, maxBytes },
      'the store file is nearly full: at its bound the gateway stores no final status',
    ),
  onEvicting: (policy: string) =>
    logger.warn(
      { policy },
      'Redis may drop data that must be kept: set maxmemory-policy noeviction',
    ),
  onSwitch: (to: 'away' | 'back') =>
    logger.warn(to === 'away' ? 'Redis is away: this replica goes on without it' : 'Redis is back'),
})

/** Writes to the log how much the process has to do. Two lines are at least a second apart. */
export const pressureObserverOf =
  (logger: Logger) =>
  (level: PressureLevel, { delayMs, utilization, memory }: Load): void => {
    const fields = {
      ...{ level, delayMs: Math.round(delayMs), busyPercent: Math.round(utilization * 100) },
      memoryPercent: Math.round(memory * 100),
    }
    if (level === 'calm') logger.info(fields, 'the load of the gateway changed')
    else logger.warn(fields, 'the load of the gateway changed')
  }
