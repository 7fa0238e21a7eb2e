import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { inspectAccessFile } from '../../src/access/read-access-file.ts'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createLemlist, type LemlistOptions } from '../../src/sandbox/lemlist.ts'
import { readSources } from '../../src/sources.ts'
import { entry, KEYS } from './callers.ts'
import { logLines, memoryLogger, NO_PRESSURE, type TestGateway } from './gateway.ts'
import { ask, rawRequest, type WireAnswer } from './wire.ts'

/** The lemlist keys of the two accounts of `twoAccounts`. */
export const LEMLIST_KEYS = { sales: 'lemlist-key-of-sales', emea: 'lemlist-key-of-emea' }

export interface AccessFileText {
  readonly accounts?: Readonly<Record<string, unknown>>
  readonly callers?: Readonly<Record<string, unknown>>
}

export interface AccessGateway extends TestGateway {
  /** Writes the access file anew and has the gateway read it, as SIGHUP does. */
  reload(file: AccessFileText): Promise<readonly string[]>
}

interface Options {
  readonly file: AccessFileText
  readonly env?: Readonly<Record<string, string>>
  readonly lemlist?: LemlistOptions
  readonly onEnd?: (end: () => Promise<void>) => void
}

/** The accounts `sales` and `emea`, and a caller of each. */
export const twoAccounts: AccessFileText = {
  accounts: { sales: { apiKey: LEMLIST_KEYS.sales }, emea: { apiKey: LEMLIST_KEYS.emea } },
  callers: {
    crm: entry(KEYS.crm, { accounts: ['sales'] }),
    bi: entry(KEYS.bi, { accounts: ['emea'] }),
  },
}

/** Starts a gateway that wants a credential, and an emulated lemlist with two teams. */
export const startAccessGateway = async (options: Options): Promise<AccessGateway> => {
  const { file, env = {}, onEnd = onTestFinished } = options
  const lemlist = createLemlist({ apiKeys: Object.values(LEMLIST_KEYS), ...options.lemlist })
  const baseUrl = await lemlist.listen()
  onEnd(() => lemlist.close())
  const directory = mkdtempSync(join(tmpdir(), 'access-'))
  onEnd(async () => rmSync(directory, { recursive: true }))
  const path = join(directory, 'access.json')
  const write = (next: AccessFileText) => writeFileSync(path, JSON.stringify(next))
  write(file)
  const { logger, text } = memoryLogger()
  const config = loadConfig(
    {
      ...(file.accounts === undefined && { LEMLIST_API_KEY: LEMLIST_KEYS.sales }),
      ...{ LEMLIST_BASE_URL: baseUrl, STORE_URL: 'memory:', PORT: '0' },
      ...{ AUTH: 'keys', ACCESS_FILE: path },
      ...env,
    },
    inspectAccessFile,
  )
  const app = await createApp({ config, logger, pressure: NO_PRESSURE })
  onEnd(() => {
    app.server.server.closeIdleConnections()
    return app.close()
  })
  const url = await app.listen()
  return {
    ...{ url, lemlist, app, logs: text, close: () => app.close() },
    reload: (next) => {
      write(next)
      return app.reload(readSources(config))
    },
  }
}

/** An export of the account `sales`, and one of `emea`. Both are done at once. */
export const SALES = { campaignId: 'cam_Sales1', exportId: 'axp_Sales1' }
export const EMEA = { campaignId: 'cam_Emea1', exportId: 'axp_Emea1' }

/** What the emulated lemlist knows: both exports, each of its team. */
export const TWO_TEAMS: LemlistOptions = {
  exports: [
    { ...SALES, apiKey: LEMLIST_KEYS.sales, durationMs: 0 },
    { ...EMEA, apiKey: LEMLIST_KEYS.emea, durationMs: 0 },
  ],
}

interface Sent {
  readonly method?: string
  /** Header lines, as `Name: value`. */
  readonly headers?: readonly string[]
  readonly body?: string
}

/** Sends a request as bytes, and reads the answer to its end. */
export const send = (
  { url }: Pick<TestGateway, 'url'>,
  target: string,
  { method = 'GET', headers = [], body = '' }: Sent = {},
): Promise<WireAnswer> => {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  return ask(
    url,
    rawRequest(target, { method, headers: ['Host: 127.0.0.1', ...headers, ...length], body }),
  )
}

export const bearer = (credential: string): string => `Authorization: Bearer ${credential}`

/** Makes a ticket with this key. */
export const ticketOf = async (
  gateway: Pick<TestGateway, 'url'>,
  key: string,
  wanted: Readonly<Record<string, unknown>>,
  headers: readonly string[] = [],
): Promise<string> => {
  const answer = await send(gateway, '/tickets', {
    method: 'POST',
    headers: [bearer(key), 'Content-Type: application/json', ...headers],
    body: JSON.stringify(wanted),
  })
  if (answer.status !== 201) throw new Error(`no ticket: ${answer.body}`)
  const { ticket } = JSON.parse(answer.body)
  return String(ticket)
}

/** The audit lines of a gateway, without what every log line has. */
export const auditLines = ({ logs }: Pick<TestGateway, 'logs'>) =>
  logLines(logs())
    .filter(({ msg }) => msg === 'audit')
    .map(({ level: _, time: __, msg: ___, ...line }) => line)
