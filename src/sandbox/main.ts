import { ConfigError, loadConfig } from '../config/config.ts'
import { EXIT_CONFIG, type Host, processHost, readEnvFile, runGateway } from '../run.ts'
import { createLemlist, type Lemlist } from './lemlist.ts'
import { type ReadyMade, readyMade } from './ready-made.ts'

const KEY = 'sandbox-key'

/** Runs the gateway in front of an emulated lemlist, in one process and without configuration. */
export const sandbox = async (host: Host): Promise<Lemlist | undefined> => {
  const exports = readyMade()
  const lemlist = createLemlist({ apiKeys: [KEY], exports })
  try {
    const { LEMLIST_API_KEY_FILE: _unused, ...env } = host.env
    const config = loadConfig({
      // The store is in memory, so that a second start shows the same again.
      STORE_URL: 'memory:',
      // With a line for each request, people would not find the text below. Trouble is still
      // logged.
      LOG_LEVEL: 'warn',
      ...env,
      LEMLIST_API_KEY: KEY,
      LEMLIST_BASE_URL: await lemlist.listen(),
      // No proxy can reach the emulator, which runs in this process.
      no_proxy: '*',
    })
    const close = () => lemlist.close()
    const running = await runGateway(host, config, close, { readyMade: exports })
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
    'The gateway runs in front of an emulated lemlist. Nothing leaves this machine.',
    '',
    ...(docs ? [`  Live page    ${url}/`, `  Swagger UI   ${url}/docs/`] : []),
    `  OpenAPI      ${url}/openapi.json`,
    '',
    'Ready-made exports. Each one begins when you read it for the first time:',
    ...exports.flatMap(({ title, campaignId, exportId }) => [
      '',
      `  # ${title}`,
      `  curl -i ${url}/campaigns/${campaignId}/export/${exportId}/status`,
    ]),
    '',
    'Press Ctrl-C to stop.',
  ].join('\n')

if (import.meta.main) {
  const host = processHost()
  if (readEnvFile(host)) await sandbox(host)
}
