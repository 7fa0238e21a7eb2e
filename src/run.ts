import closeWithGrace from 'close-with-grace'
import { type App, type AppOptions, createApp } from './app.ts'
import type { Config, Secret } from './config/config.ts'
import type { Logger } from './telemetry/log.ts'
import { createLogger } from './telemetry/log.ts'

/** What a program needs of its process; a test brings its own. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly argv: readonly string[]
  /** Whether somebody reads along. */
  readonly terminal: boolean
  print(text: string): void
  complain(text: string): void
  /** Ends the process once what it holds open is gone. */
  exitWith(code: number): void
  /** On SIGTERM, SIGINT or a fatal error: cleans up, then the process ends. On SIGHUP too, if it has no other meaning. */
  onStop(timeoutMs: number, logger: Logger, stop: () => Promise<void>, hangupStops: boolean): void
  onHangup(handler: () => void): void
}

/** sysexits.h: EX_CONFIG. */
export const EXIT_CONFIG = 78

/** The process itself as a host. */
export const processHost = (): Host => ({
  env: process.env,
  argv: process.argv.slice(2),
  terminal: process.stdout.isTTY === true,
  print: (text) => void process.stdout.write(`${text}\n`),
  complain: (text) => void process.stderr.write(`${text}\n`),
  exitWith: (code) => {
    process.exitCode = code
  },
  onStop: (timeoutMs, logger, stop, hangupStops) => {
    // Nothing left to do ends the process as well, but with the exit code that was asked for.
    const skip = ['beforeExit' as const, ...(hangupStops ? [] : ['SIGHUP' as const])]
    closeWithGrace({ delay: timeoutMs, logger: false, skip }, async ({ signal, err }) => {
      if (err === undefined) logger.info({ signal }, 'stopping')
      else logger.fatal({ err }, 'a bug: stopping')
      await stop()
    })
  },
  onHangup: (handler) => void process.on('SIGHUP', handler),
})

interface Running {
  readonly app: App
  readonly url: string
}

/** Starts a gateway and ties it to the signals of its process. */
export const runGateway = async (
  host: Host,
  config: Config,
  readKey?: () => Secret,
  alsoStop: () => Promise<void> = async () => {},
  extras: Pick<AppOptions, 'readyMade'> = {},
): Promise<Running | undefined> => {
  const logger = createLogger({ level: config.logLevel, terminal: host.terminal })
  let apiKey = config.lemlist.apiKey
  let close = async (): Promise<void> => {}
  try {
    const app = await createApp({ ...extras, config, logger, apiKey: () => apiKey.reveal() })
    close = app.close
    const stop = async () => {
      await app.close()
      await alsoStop()
    }
    host.onStop(config.shutdownTimeoutMs, logger, stop, readKey === undefined)
    const url = await app.listen()
    if (readKey !== undefined) {
      host.onHangup(() => {
        try {
          apiKey = readKey()
          logger.info('the lemlist key was read again')
        } catch (error) {
          logger.error({ err: error }, 'the lemlist key could not be read again: the old one stays')
        }
      })
    }
    logger.info({ url, ...(config.docs && { page: `${url}/`, docs: `${url}/docs/` }) }, 'listening')
    // Whoever starts it waits for this line; the others may take their time.
    logger.flush()
    return { app, url }
  } catch (error) {
    // Before it serves, all that can be wrong is the place it runs in: a line helps, a stack does not.
    host.complain(`The gateway cannot start: ${error instanceof Error ? error.message : error}`)
    host.exitWith(1)
    await close()
    return undefined
  }
}
