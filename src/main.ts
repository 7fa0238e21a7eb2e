import type { Host } from './run.ts'
import { holdSignals } from './signals.ts'
import { keepMemorySmall } from './v8-memory.ts'

/**
 * Runs the gateway. With `--check-config` it only checks the configuration. The exit code is 78
 * when the configuration is faulty.
 */
export const main = async (host: Host): Promise<void> => {
  // Loaded here and not at the top: whatever is imported there loads before signals can be held.
  const { ConfigError, loadConfig } = await import('./config/config.ts')
  const { unknownVariables } = await import('./config/unknown-variables.ts')
  const { inspectAccessFile } = await import('./access/read-access-file.ts')
  const { EXIT_CONFIG, runGateway } = await import('./run.ts')
  for (const name of unknownVariables(host.env)) {
    host.complain(`${name} is not a variable of the gateway; see docs/configuration.md`)
  }
  try {
    const config = loadConfig(host.env, inspectAccessFile)
    if (host.argv.includes('--check-config')) {
      host.print('The configuration is sound.')
      if (config.lemlist.aboutProxy !== undefined) host.print(config.lemlist.aboutProxy)
      return
    }
    await runGateway(host, config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    host.complain(error.message)
    host.exitWith(EXIT_CONFIG)
  }
}

if (import.meta.main) {
  holdSignals()
  keepMemorySmall()
  const { processHost, readEnvFile } = await import('./run.ts')
  const host = processHost()
  if (readEnvFile(host)) {
    const { takeSecrets } = await import('./config/take-secrets.ts')
    await main({ ...host, env: takeSecrets(process.env) })
  }
}
