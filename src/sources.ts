import type { AccessFile } from './access/access-file.ts'
import { readAccessFile, readAccountKeys } from './access/read-access-file.ts'
import type { LemlistKeys } from './accounts.ts'
import { type Config, ConfigError, type Secret } from './config/config.ts'
import { readSecretFile } from './config/secret-files.ts'
import { DEFAULT_ACCOUNT } from './exports/export.ts'

/** What the gateway reads when it starts, and again on SIGHUP. */
export interface Sources {
  readonly keys: LemlistKeys
  /** Undefined when there is no access file. */
  readonly access: AccessFile | undefined
  /** Undefined = a random one for each process. */
  readonly ticketSecret: Secret | undefined
}

/** Whether the configuration names a file that may change while the gateway runs. */
export const hasFiles = ({ lemlist, access }: Config): boolean =>
  [lemlist.apiKeyFile, access.file, access.ticketSecretFile].some((path) => path !== undefined)

/**
 * Reads the access file and the files of secrets, as far as the configuration names them.
 *
 * @throws AccessFault or ConfigError when one of them is faulty
 */
export const readSources = (config: Config): Sources => {
  const { file, ticketSecret, ticketSecretFile } = config.access
  const access = file === undefined ? undefined : readAccessFile(file)
  return {
    keys: keysFrom(config, access),
    access,
    ticketSecret:
      ticketSecretFile === undefined
        ? ticketSecret
        : readSecretFile('TICKET_SECRET', ticketSecretFile),
  }
}

const keysFrom = ({ lemlist }: Config, access: AccessFile | undefined): LemlistKeys => {
  const { apiKey, apiKeyFile } = lemlist
  const keys = access && readAccountKeys(access)
  if (keys !== undefined && apiKey !== undefined) {
    throw new ConfigError(['LEMLIST_API_KEY: must not be set when ACCESS_FILE names accounts'])
  }
  if (keys !== undefined) return keys
  const key = apiKeyFile === undefined ? apiKey : readSecretFile('LEMLIST_API_KEY', apiKeyFile)
  if (key === undefined) {
    throw new ConfigError(['LEMLIST_API_KEY: is required when ACCESS_FILE names no accounts'])
  }
  return new Map([[DEFAULT_ACCOUNT, key]])
}
