import { readFileSync } from 'node:fs'
import { ConfigError } from './config-error.ts'
import { key, ticketSecret } from './forms.ts'
import { Secret } from './secret.ts'

/** Secrets that stand in a variable or in the file that another variable names. */

const KINDS = {
  LEMLIST_API_KEY: { schema: key, holds: 'no lemlist API key' },
  TICKET_SECRET: { schema: ticketSecret, holds: 'no secret of at least 32 bytes' },
} as const

type SecretName = keyof typeof KINDS

/** @throws ConfigError when the file cannot be read or holds no secret of that kind */
export const readSecretFile = (name: SecretName, path: string): Secret => {
  const { schema, holds } = KINDS[name]
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch {
    throw new ConfigError([`${name}_FILE: the file cannot be read`])
  }
  const parsed = schema.safeParse(text)
  if (!parsed.success) throw new ConfigError([`${name}_FILE: the file holds ${holds}`])
  return new Secret(parsed.data)
}

/** The secret of either place. Undefined when there is none, or when a fault was added. */
export const secretFrom = (
  name: SecretName,
  inline: string | undefined,
  path: string | undefined,
  faults: string[],
): Secret | undefined => {
  if (inline !== undefined && path !== undefined) {
    faults.push(`${name}: must not be set together with ${name}_FILE`)
  }
  if (path === undefined) return inline === undefined ? undefined : new Secret(inline)
  try {
    return readSecretFile(name, path)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    faults.push(...error.faults)
    return undefined
  }
}
