import { ConfigError, loadConfig } from '../config/config.ts'
import { EXIT_CONFIG, type Host, processHost, readEnvFile, runGateway } from '../run.ts'
import { createLemlist, type Lemlist } from './lemlist.ts'
import { type ReadyMade, readyMade, SEEN_CAMPAIGN, seenExports } from './ready-made.ts'

const KEY = 'sandbox-key'

/** Runs the gateway in front of an emulated lemlist, in one process and without configuration. */
export const sandbox = async (host: Host): Promise<Lemlist | undefined> => {
  const exports = readyMade()
  const seen = seenExports()
  const lemlist = createLemlist({ apiKeys: [KEY], exports: [...exports, ...seen] })
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
    const running = await runGateway(host, config, close, {
      readyMade: [...exports, SEEN_CAMPAIGN],
    })
    if (running === undefined) {
      await lemlist.close()
      return undefined
    }
    await see(running.url, seen)
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

/**
 * Reads each export once. The gateway lists what was started or seen through it, and nobody has asked
 * it for anything yet. Only a caller's read makes an export known, also in the sandbox. Where callers
 * need a credential the read is refused, and the list begins empty.
 */
const see = async (url: string, exports: readonly ReadyMade[]): Promise<void> => {
  // One by one, so that the list has them in this order.
  for (const { campaignId, exportId } of exports) {
    const path = `/campaigns/${campaignId}/export/${exportId}/status`
    const answer = await fetch(url + path).catch(() => undefined)
    await answer?.body?.cancel()
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
    'A campaign with exports that the gateway has seen:',
    '',
    `  curl -i ${url}/campaigns/${SEEN_CAMPAIGN.campaignId}/exports`,
    '',
    'Press Ctrl-C to stop.',
  ].join('\n')

if (import.meta.main) {
  const host = processHost()
  if (readEnvFile(host)) await sandbox(host)
}
