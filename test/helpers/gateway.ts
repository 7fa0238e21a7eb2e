import { PassThrough } from 'node:stream'
import { type Logger, pino } from 'pino'
import { onTestFinished } from 'vitest'
import { type App, createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { createLemlist, type Lemlist, type LemlistOptions } from '../../src/sandbox/lemlist.ts'

export interface TestGateway {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly lemlist: Lemlist
  readonly app: App
  /** Every log line so far, as text. */
  readonly logs: () => string
  /** Ends the gateway before the test does. */
  readonly close: () => Promise<void>
}

export const KEY = 'test-key'

interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly lemlist?: LemlistOptions
}

/** A gateway in this process on a free port, with an emulated lemlist behind it; both end with the test. */
export const startGateway = async ({
  env = {},
  lemlist = {},
}: Options = {}): Promise<TestGateway> => {
  const upstream = createLemlist({ apiKeys: [KEY], ...lemlist })
  const baseUrl = await upstream.listen()
  onTestFinished(() => upstream.close())
  const { logger, text } = memoryLogger()
  const config = loadConfig({
    LEMLIST_API_KEY: KEY,
    LEMLIST_BASE_URL: baseUrl,
    STORE_URL: 'memory:',
    PORT: '0',
    ...env,
  })
  const app = await createApp({ config, logger })
  onTestFinished(() => app.close())
  const url = await app.listen()
  return { url, lemlist: upstream, app, logs: text, close: () => app.close() }
}

/** A logger whose lines a test can read. */
export const memoryLogger = (): { logger: Logger; text: () => string } => {
  const stream = new PassThrough()
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { logger: pino({ level: 'trace' }, stream), text: () => Buffer.concat(chunks).toString() }
}

/** The path of an export's status. */
export const statusPath = (ref: {
  readonly campaignId: string
  readonly exportId: string
}): string => `/campaigns/${ref.campaignId}/export/${ref.exportId}/status`
