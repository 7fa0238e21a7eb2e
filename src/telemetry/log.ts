import { createRequire } from 'node:module'
import { type Logger, pino } from 'pino'
import type PinoPretty from 'pino-pretty'
import { describeError } from './described.ts'
import type { Output } from './output.ts'

export type { Logger } from 'pino'

interface LogOptions {
  readonly level: string
  /** Whether the output is a terminal. Then the lines are made for people, not for machines. */
  readonly terminal: boolean
  readonly output: Pick<Output, 'write' | 'flush' | 'onLost'>
}

/**
 * Creates the logger of the process. It writes JSON lines. On a terminal it writes readable lines
 * if pino-pretty is installed.
 */
export const createLogger = ({ level, terminal, output }: LogOptions): Logger => {
  const readable = terminal ? readableLines() : undefined
  const destination = {
    write: (line: string): void => {
      output.write(readable === undefined ? line : readable(line))
      // A person looks on.
      if (terminal) output.flush()
    },
    // `logger.flush` of pino calls this.
    flush: (): void => output.flush(),
  }
  // pino would copy every field of an error. No line may hold what nobody has named.
  const serializers = { err: (error: unknown) => describeError(error) }
  const logger = pino({ level, base: null, timestamp, serializers }, destination)
  // A child has a level of its own: the loss is told also when the gateway logs errors only.
  const teller = logger.child({}, { level: 'warn' })
  output.onLost((lines) => {
    teller.warn({ lines }, 'log lines were lost: standard output did not take them')
  })
  return logger
}

const MS_PER_S = 1_000
let latestMs = 0
let latestTime = ''
let latestSecond = Number.NaN
/** The time as a field, up to the point before its milliseconds. */
let upToSecond = ''

/**
 * The time as a field of a line. In a busy millisecond it is made once, and once a second it is made from
 * nothing: a date as text costs more than the line.
 */
const timestamp = (): string => {
  const now = Date.now()
  if (now === latestMs) return latestTime
  latestMs = now
  const second = Math.floor(now / MS_PER_S)
  if (second !== latestSecond) {
    latestSecond = second
    upToSecond = `,"time":"${new Date(now).toISOString().slice(0, -'000Z'.length)}`
  }
  const ms = String(now - second * MS_PER_S)
  latestTime = `${upToSecond}${ms.padStart(3, '0')}Z"`
  return latestTime
}

/**
 * Writes a line whose fields are JSON text already. It does not look whether its level is enabled.
 *
 * @param fields each after a comma, such as `,"a":1,"b":"c"`
 */
export type WriteLine = (level: LineLevel, fields: string) => void

type LineLevel = 'debug' | 'info' | 'warn'

/**
 * The cheap way to lines that are written for each request. They look like all others.
 *
 * @param message what all of these lines say
 */
export const lineWriter = (logger: Logger, message: string): WriteLine => {
  // Pino tells the name of this property, and its types do not have it.
  const { [pino.symbols.streamSym]: stream } = logger as Logger & {
    readonly [pino.symbols.streamSym]: { write(line: string): void }
  }
  const { values } = logger.levels
  const begin = (level: LineLevel): string => `{"level":${values[level]}`
  const begins = { debug: begin('debug'), info: begin('info'), warn: begin('warn') }
  const end = `,"msg":${JSON.stringify(message)}}\n`
  return (level, fields) => stream.write(begins[level] + timestamp() + fields + end)
}

/** What pino-pretty makes of a JSON line. Its types say `any` for the argument. */
type Readable = (line: string) => string

/** A production install has no pino-pretty, which is a tool for development. */
const readableLines = (): Readable | undefined => {
  try {
    const { prettyFactory }: typeof PinoPretty = createRequire(import.meta.url)('pino-pretty')
    return prettyFactory({ translateTime: 'HH:MM:ss.l' })
  } catch {
    return undefined
  }
}
