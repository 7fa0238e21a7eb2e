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
import { memoryLogger, type TestGateway } from './gateway.ts'

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
  const app = await createApp({ config, logger })
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
