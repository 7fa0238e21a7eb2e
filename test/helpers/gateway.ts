import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type App, type AppOptions, createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createLemlist, type Lemlist, type LemlistOptions } from '../../src/sandbox/lemlist.ts'
import { createLogger, type Logger } from '../../src/telemetry/log.ts'

export interface TestGateway {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly lemlist: Lemlist
  readonly app: App
  /** Every log line so far, as text. */
  readonly logs: () => string
  /** Stops the gateway before the test ends. */
  readonly close: () => Promise<void>
}

export const KEY = 'test-key'

interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly lemlist?: LemlistOptions
  /** The exports that the live page offers. */
  readonly readyMade?: AppOptions['readyMade']
  /** Says what is turned away. Default: nothing, however busy the machine of the tests is. */
  readonly pressure?: AppOptions['pressure']
  readonly lostLines?: () => number
  /** Registers what stops the gateway. By default that happens at the end of the test. */
  readonly onEnd?: (end: () => Promise<void>) => void
}

/** A load that turns nothing away. */
export const NO_PRESSURE: NonNullable<AppOptions['pressure']> = {
  level: 'calm',
  sheds: () => false,
  close: () => {},
}

/** Starts a gateway in this process on a free port, and an emulated lemlist. The test ends both. */
export const startGateway = async ({
  env = {},
  lemlist = {},
  readyMade = [],
  pressure = NO_PRESSURE,
  lostLines = () => 0,
  onEnd = onTestFinished,
}: Options = {}): Promise<TestGateway> => {
  const upstream = createLemlist({ apiKeys: [KEY], ...lemlist })
  const baseUrl = await upstream.listen()
  onEnd(() => upstream.close())
  const { logger, text } = memoryLogger()
  const config = loadConfig({
    LEMLIST_API_KEY: KEY,
    LEMLIST_BASE_URL: baseUrl,
    STORE_URL: 'memory:',
    PORT: '0',
    ...env,
  })
  const app = await createApp({ config, logger, readyMade, pressure, lostLines })
  onEnd(() => {
    // A stop looks for idle connections every 50 ms. Without them it need not wait for its next look.
    app.server.server.closeIdleConnections()
    return app.close()
  })
  const url = await app.listen()
  return { url, lemlist: upstream, app, logs: text, close: () => app.close() }
}

/** A logger whose lines a test can read. */
export const memoryLogger = (): { logger: Logger; text: () => string } => {
  let text = ''
  const output = {
    write: (line: string) => {
      text += line
    },
    ...{ flush: () => {}, onLost: () => {} },
  }
  return { logger: createLogger({ level: 'trace', terminal: false, output }), text: () => text }
}

/** The path of an export's status. */
export const statusPath = (ref: {
  readonly campaignId: string
  readonly exportId: string
}): string => `/campaigns/${ref.campaignId}/export/${ref.exportId}/status`

/**
 * One gateway for all tests of a suite. The tests must leave no trace in it. Call this in the body
 * of a `describe`, not in a test.
 */
export const sharedGateway = (options: Omit<Options, 'onEnd'> = {}): (() => TestGateway) => {
  let gateway: TestGateway | undefined
  const ends: (() => Promise<void>)[] = []
  beforeAll(async () => {
    gateway = await startGateway({ ...options, onEnd: (end) => void ends.unshift(end) })
  })
  afterAll(async () => {
    for (const end of ends) await end()
  })
  return () => {
    if (gateway === undefined) throw new Error('the gateway is there once the tests run')
    return gateway
  }
}

/** Parses the lines that a gateway has logged. */
export const logLines = (logs: string): Record<string, unknown>[] =>
  logs
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

/** The path of an export's events. */
export const eventsPath = (ref: {
  readonly campaignId: string
  readonly exportId: string
}): string => `/campaigns/${ref.campaignId}/export/${ref.exportId}/events`

/** The path of the events of many exports. */
export const manyEventsPath = (
  refs: readonly { readonly campaignId: string; readonly exportId: string }[],
): string =>
  `/events?${refs.map(({ campaignId, exportId }) => `export=${campaignId}/${exportId}`).join('&')}`
