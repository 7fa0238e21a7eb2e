import { NAME } from './access-file.ts'
import { createKey, digestOf } from './keys.ts'

/**
 * What `npm run new-caller -- NAME` prints: a new key, and the entry of its caller for the access
 * file. The file holds the digest only, so the key is shown this once.
 *
 * @returns undefined when the name has not the form of a caller's name
 */
export const newCaller = (name: string): string | undefined => {
  if (!NAME.test(name)) return undefined
  const key = createKey()
  const entry = JSON.stringify(
    { [name]: { keys: [digestOf(key)], accounts: ['default'] } },
    null,
    2,
  )
  return [
    `The key of ${name}. It is shown this once; give it to the caller by a safe way:`,
    '',
    `  ${key}`,
    '',
    'Its entry in the `callers` of ACCESS_FILE. Name the accounts that the caller may use; `campaigns` and',
    '`scopes` (status, start, file) narrow what he may do. Then send SIGHUP to the gateway.',
    '',
    ...entry.split('\n').slice(1, -1),
  ].join('\n')
}
