import { isatty } from 'node:tty'
import closeWithGrace from 'close-with-grace'
import type { App, AppOptions } from './app.ts'
import { type Config, ConfigError } from './config/config.ts'
import { addEnvFile } from './config/env-file.ts'
import { releaseSignals } from './signals.ts'
import { hasFiles, readSources } from './sources.ts'
import { StoreMisconfigured } from './store/misconfigured.ts'
import { auditReload } from './telemetry/audit.ts'
import { openDescriptor } from './telemetry/descriptor.ts'
import type { Logger } from './telemetry/log.ts'
import { createLogger } from './telemetry/log.ts'
import { watchOpenFiles } from './telemetry/open-files.ts'
import { createOutput, type Output } from './telemetry/output.ts'
import { createYoungHeapWatch, letYoungHeapGrow } from './v8-memory.ts'

/** What a program needs from its process. Tests pass a host of their own. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly argv: readonly string[]
  /** Whether standard output is a terminal, so that a person reads the log. */
  readonly terminal: boolean
  /** Standard output. Nothing else writes to it. */
  readonly output: Output
  print(text: string): void
  complain(text: string): void
  /** Sets the exit code. The process ends when nothing keeps it open any more. */
  exitWith(code: number): void
  /**
   * On SIGTERM, SIGINT or a fatal error, calls `stop` and then ends the process, after `timeoutMs`
   * milliseconds at the latest. SIGHUP does the same when `hangupStops` is true.
   */
  onStop(timeoutMs: number, logger: Logger, stop: () => Promise<void>, hangupStops: boolean): void
  onHangup(handler: () => void): void
}

/** sysexits.h: EX_CONFIG. */
export const EXIT_CONFIG = 78

/** The host that uses the real process. */
export const processHost = (): Host => {
  const output = createOutput(openDescriptor(1))
  const errors = createOutput(openDescriptor(2))
  // For an end that waits for nothing, such as that after a second signal.
  process.once('exit', () => output.flushNow())
  return {
    env: process.env,
    argv: process.argv.slice(2),
    terminal: isatty(1),
    output,
    print: (text) => {
      output.write(`${text}\n`)
      output.flush()
    },
    complain: (text) => {
      errors.write(`${text}\n`)
      errors.flushNow()
    },
    exitWith: (code) => {
      process.exitCode = code
    },
    onStop: (timeoutMs, logger, stop, hangupStops) => {
      // On `beforeExit` close-with-grace would end the process with code 0. Without it the process
      // also ends when nothing is left to do, but with the code that `exitWith` has set.
      const skip = ['beforeExit' as const, ...(hangupStops ? [] : ['SIGHUP' as const])]
      closeWithGrace({ delay: timeoutMs, logger: false, skip }, async ({ signal, err }) => {
        if (err === undefined) logger.info({ signal }, 'stopping')
        else logger.fatal({ err }, 'stopping because of an unexpected error')
        await stop()
        await output.end()
      })
      releaseSignals('SIGTERM', 'SIGINT', ...(hangupStops ? ['SIGHUP' as const] : []))
    },
    onHangup: (handler) => {
      process.on('SIGHUP', handler)
      releaseSignals('SIGHUP')
    },
  }
}

/**
 * Reads `.env` of the working directory into the environment of the process.
 *
 * @returns false when the file is there but faulty; the host has been told
 */
export const readEnvFile = (host: Host): boolean => {
  try {
    addEnvFile('.env', process.env)
    return true
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    host.complain(error.message)
    host.exitWith(EXIT_CONFIG)
    return false
  }
}

interface Running {
  readonly app: App
  readonly url: string
}

/**
 * Starts a gateway and stops it on the signals of its process.
 *
 * On SIGHUP it reads the files of the configuration again. Without such files SIGHUP stops it.
 *
 * @param alsoStop runs after the gateway has stopped
 * @returns undefined when the gateway could not start
 */
export const runGateway = async (
  host: Host,
  config: Config,
  alsoStop: () => Promise<void> = async () => {},
  extras: Pick<AppOptions, 'readyMade'> = {},
): Promise<Running | undefined> => {
  const logger = createLogger({
    level: config.logLevel,
    terminal: host.terminal,
    output: host.output,
  })
  let close = async (): Promise<void> => {}
  try {
    // Loaded here and not at the top: a check of the configuration, and a start that is refused, need
    // neither the server nor the stores.
    const { createApp } = await import('./app.ts')
    const { lostLines, usedPart: logUsedPart } = host.output
    const onStreams = createYoungHeapWatch()
    const app = await createApp({ ...extras, config, logger, lostLines, logUsedPart, onStreams })
    const endWatch = watchOpenFiles(logger)
    close = () => {
      endWatch()
      return app.close()
    }
    const stop = async () => {
      await close()
      await alsoStop()
    }
    const mayReload = hasFiles(config)
    host.onStop(config.shutdownTimeoutMs, logger, stop, !mayReload)
    const url = await app.listen()
    if (mayReload) host.onHangup(() => void reload(app, config, logger))
    const { proxy } = config.lemlist
    if (proxy !== undefined) {
      logger.info({ proxy: proxy.url.origin }, 'the gateway calls lemlist through a proxy')
    }
    const opsPort = app.opsPort()
    const pages = config.docs && { page: `${url}/`, docs: `${url}/docs/` }
    logger.info({ url, ...pages, ...(opsPort !== undefined && { opsPort }) }, 'listening')
    // The logger may hold lines back for a second. People and scripts wait for this line, so it is
    // written at once.
    logger.flush()
    letYoungHeapGrow()
    return { app, url }
  } catch (error) {
    // A gateway fails at its start because of its environment, such as a port in use. One line
    // tells the operator what is wrong. A stack would not help.
    host.complain(`The gateway cannot start: ${error instanceof Error ? error.message : error}`)
    host.exitWith(error instanceof StoreMisconfigured ? EXIT_CONFIG : 1)
    await close()
    return undefined
  }
}

/** A faulty file changes nothing: what was read before stays in use. */
const reload = async (app: App, config: Config, logger: Logger): Promise<void> => {
  try {
    auditReload(logger, await app.reload(readSources(config)))
  } catch (error) {
    logger.error({ err: error }, 'the files could not be read again: what they said before stays')
  }
  // Whoever sent the signal waits for this line.
  logger.flush()
}
