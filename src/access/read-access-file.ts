import { readFileSync } from 'node:fs'
import { key } from '../config/forms.ts'
import { Secret } from '../config/secret.ts'
import { AccessFault, type AccessFile, parseAccessFile } from './access-file.ts'

/** @throws AccessFault when the file cannot be read, or with all its faults at once */
export const readAccessFile = (path: string): AccessFile => {
  const text = readText(path)
  if (text === undefined) throw new AccessFault(['the file: cannot be read'])
  return parseAccessFile(text)
}

/**
 * The lemlist keys of the accounts of the file, by name. Undefined when it names no accounts.
 *
 * @throws AccessFault with a fault for each key file that cannot be read or holds no key
 */
export const readAccountKeys = ({
  accounts,
}: AccessFile): ReadonlyMap<string, Secret> | undefined => {
  if (accounts === undefined) return undefined
  const keys = new Map<string, Secret>()
  const faults: string[] = []
  for (const [name, from] of accounts) {
    if ('apiKey' in from) {
      keys.set(name, from.apiKey)
      continue
    }
    const text = readText(from.apiKeyFile)?.trim()
    const parsed = key.safeParse(text)
    if (parsed.success) keys.set(name, new Secret(parsed.data))
    else {
      const what = text === undefined ? 'cannot be read' : 'holds no lemlist API key'
      faults.push(`accounts.${name}.apiKeyFile: the file ${what}`)
    }
  }
  if (faults.length > 0) throw new AccessFault(faults)
  return keys
}

/** Reads the access file and its key files for the check of the configuration. */
export const inspectAccessFile = (path: string) => {
  try {
    const file = readAccessFile(path)
    readAccountKeys(file)
    return { hasAccounts: file.accounts !== undefined, hasCallers: file.callers.size > 0 }
  } catch (error) {
    if (!(error instanceof AccessFault)) throw error
    return { faults: error.faults }
  }
}

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
