import { existsSync } from 'node:fs'
import { ConfigError, loadConfig } from '../config/config.ts'
import { EXIT_CONFIG, type Host, processHost, runGateway } from '../run.ts'
import { createLemlist, type Lemlist } from './lemlist.ts'
import { type ReadyMade, readyMade } from './ready-made.ts'

const KEY = 'sandbox-key'

/** The gateway with an emulated lemlist behind it, in one process and with no configuration at all. */
export const sandbox = async (host: Host): Promise<Lemlist | undefined> => {
  const exports = readyMade()
  const lemlist = createLemlist({ apiKeys: [KEY], exports })
  try {
    const { LEMLIST_API_KEY_FILE: _unused, ...env } = host.env
    const config = loadConfig({
      // In memory, so that a second start shows the same again.
      STORE_URL: 'memory:',
      // Requests would be lost among what is printed for people; trouble is not.
      LOG_LEVEL: 'warn',
      ...env,
      LEMLIST_API_KEY: KEY,
      LEMLIST_BASE_URL: await lemlist.listen(),
    })
    const close = () => lemlist.close()
    const running = await runGateway(host, config, undefined, close, { readyMade: exports })
    if (running === undefined) {
      await lemlist.close()
      return undefined
    }
    host.print(welcome(running.url, config.docs, exports))
    return lemlist
  } catch (error) {
    await lemlist.close()
    if (!(error instanceof ConfigError)) throw error
    host.complain(error.message)
    host.exitWith(EXIT_CONFIG)
    return undefined
  }
}

const welcome = (url: string, docs: boolean, exports: readonly ReadyMade[]): string =>
  [
    'The gateway serves an emulated lemlist. Nothing leaves this machine.',
    '',
    ...(docs ? [`  Live page    ${url}/`, `  Swagger UI   ${url}/docs/`] : []),
    `  OpenAPI      ${url}/openapi.json`,
    '',
    'Exports to look at; each begins when it is first looked at:',
    ...exports.flatMap(({ title, campaignId, exportId }) => [
      '',
      `  # ${title}`,
      `  curl -i ${url}/campaigns/${campaignId}/export/${exportId}/status`,
    ]),
    '',
    'Ctrl-C stops it.',
  ].join('\n')

if (import.meta.main) {
  if (existsSync('.env')) process.loadEnvFile('.env')
  await sandbox(processHost())
}
