import { readFileSync, statSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { ConfigError } from './config-error.ts'

/**
 * Reads a file of variables, if there is one, into the environment. A variable of the environment
 * wins, unless it is empty.
 *
 * Node has a function for that. It reads a byte order mark as a part of the first name, and it
 * finds no name at all in UTF-16, in both cases without a word.
 *
 * @throws ConfigError when the file cannot be read as text
 */
export const addEnvFile = (path: string, env: Record<string, string | undefined>): void => {
  for (const [name, value] of Object.entries(parseEnv(readText(path)))) {
    if (!env[name]) env[name] = value
  }
}

const readText = (path: string): string => {
  const bytes = readBytes(path)
  // Each Latin letter in UTF-16 brings a zero byte. UTF-8 text has none.
  if (bytes.includes(0)) {
    throw new ConfigError([`${path}: is not UTF-8 text; save it as UTF-8, not as UTF-16`])
  }
  // A TextDecoder leaves the byte order mark of UTF-8 out.
  return new TextDecoder().decode(bytes)
}

const readBytes = (path: string): Buffer => {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return Buffer.alloc(0)
  if (stat.isDirectory()) {
    throw new ConfigError([`${path}: is a directory; it must be a file of NAME=value lines`])
  }
  try {
    return readFileSync(path)
  } catch {
    throw new ConfigError([`${path}: the file cannot be read`])
  }
}
