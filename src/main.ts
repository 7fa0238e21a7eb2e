import { existsSync } from 'node:fs'
import { ConfigError, loadConfig, readKeyFile, unknownVariables } from './config/config.ts'
import { EXIT_CONFIG, type Host, processHost, runGateway } from './run.ts'

/** Runs the gateway, or checks its configuration with `--check-config`. Exits with 78 when that is faulty. */
export const main = async (host: Host): Promise<void> => {
  for (const name of unknownVariables(host.env)) {
    host.complain(`${name} is not a variable of the gateway; see docs/configuration.md`)
  }
  try {
    const config = loadConfig(host.env)
    if (host.argv.includes('--check-config')) {
      host.print('The configuration is sound.')
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
  if (existsSync('.env')) process.loadEnvFile('.env')
  const host = processHost()
  // The key lives in the configuration from now on; nothing that dumps the environment shows it.
  const env = { ...host.env }
  delete process.env.LEMLIST_API_KEY
  await main({ ...host, env })
}
