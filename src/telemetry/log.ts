import { type DestinationStream, destination, type Logger, pino, transport } from 'pino'

export type { Logger } from 'pino'

interface LogOptions {
  readonly level: string
  /** Whether the output is a terminal. Then the lines are made for people, not for machines. */
  readonly terminal: boolean
}

/**
 * The logger collects lines and writes them every second or every 8 KiB. A write for each line
 * would cost more than a cached answer.
 */
const FLUSH_MS = 1_000
const BUFFER_BYTES = 8_192

/**
 * Creates the logger of the process. It writes buffered JSON lines. On a terminal it writes
 * readable lines if pino-pretty is installed.
 */
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

/** A production install has no pino-pretty, which is a tool for development. */
const isInstalled = (name: string): boolean => {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
