import type { Host } from './run.ts'
import { holdSignals } from './signals.ts'

/**
 * Runs the gateway. With `--check-config` it only checks the configuration. The exit code is 78
 * when the configuration is faulty.
 */
export const main = async (host: Host): Promise<void> => {
  // Loaded here and not at the top: whatever is imported there loads before signals can be held.
  const { ConfigError, loadConfig, readKeyFile, unknownVariables } = await import(
    './config/config.ts'
  )
  const { EXIT_CONFIG, runGateway } = await import('./run.ts')
  for (const name of unknownVariables(host.env)) {
    host.complain(`${name} is not a variable of the gateway; see docs/configuration.md`)
  }
  try {
    const config = loadConfig(host.env)
    if (host.argv.includes('--check-config')) {
      host.print('The configuration is sound.')
      if (config.lemlist.aboutProxy !== undefined) host.print(config.lemlist.aboutProxy)
      return
    }
    const { apiKeyFile } = config.lemlist
    await runGateway(
      host,
      config,
      apiKeyFile === undefined ? undefined : () => readKeyFile(apiKeyFile),
    )
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    host.complain(error.message)
    host.exitWith(EXIT_CONFIG)
  }
}

if (import.meta.main) {
  holdSignals()
  const { processHost, readEnvFile } = await import('./run.ts')
  const host = processHost()
  if (readEnvFile(host)) {
    // The configuration gets the key from the copy. The environment of the process loses it, so
    // that nothing that prints the environment can show it.
    const env = { ...host.env }
    delete process.env.LEMLIST_API_KEY
    await main({ ...host, env })
  }
}
