import { type DestinationStream, destination, type Logger, pino, transport } from 'pino'

export type { Logger } from 'pino'

interface LogOptions {
  readonly level: string
  /** Whether somebody reads along: lines for people, not for machines. */
  readonly terminal: boolean
}

/** Log lines wait at most this long, and 8 KiB, for their write: a write a line would cost more than a cached answer. */
const FLUSH_MS = 1_000
const BUFFER_BYTES = 8_192

/** The process's logger: JSON lines, buffered; pretty ones on a terminal where pino-pretty is installed. */
export const createLogger = ({ level, terminal }: LogOptions): Logger =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream(terminal))

const stream = (terminal: boolean): DestinationStream => {
  if (terminal && isInstalled('pino-pretty')) {
    return transport({ target: 'pino-pretty', options: { translateTime: 'HH:MM:ss.l' } })
  }
  return destination({
    dest: 1,
    sync: false,
    minLength: BUFFER_BYTES,
    periodicFlush: FLUSH_MS,
  })
}

/** It is a tool for development, absent from a production install. */
const isInstalled = (name: string): boolean => {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
