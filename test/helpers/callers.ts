import { type Access, type AccessOptions, createAccess } from '../../src/access/access.ts'
import { parseAccessFile } from '../../src/access/access-file.ts'
import type { Credential } from '../../src/access/authenticator.ts'
import { type Caller, SCOPES } from '../../src/access/caller.ts'
import { createKey, digestOf } from '../../src/access/keys.ts'
import { Secret } from '../../src/config/config.ts'
import { Problem } from '../../src/problems.ts'

/** Keys of callers that tests use. */
export const KEYS = { crm: createKey(), bi: createKey(), spare: createKey() }

/** Who calls where nobody has to prove himself. */
export const ANONYMOUS: Caller = {
  ...{ name: 'anonymous', id: 'anonymous', proof: 'none', accounts: ['default'] },
  ...{ campaigns: undefined, exports: new Set(), scopes: new Set(SCOPES) },
}

/** An entry of the access file with one key. */
export const entry = (key: string, fields: Readonly<Record<string, unknown>> = {}) => ({
  keys: [digestOf(key)],
  accounts: ['default'],
  ...fields,
})

export const accessFile = (callers: Readonly<Record<string, unknown>>) =>
  parseAccessFile(JSON.stringify({ callers }))

export const TICKET_SECRET = new Secret('a-secret-of-tickets-that-has-32-bytes')

/** An `Access` whose clock moves only when the test says so. */
export const startAccess = (options: Partial<AccessOptions> = {}) => {
  let time = Date.parse('2026-11-26T10:00:00Z')
  const accounts = ['default']
  const access: Access = createAccess({
    auth: new Set(['keys']),
    ticketSecret: TICKET_SECRET,
    accounts: () => accounts,
    now: () => time,
    ...options,
  })
  const ask = async (credential?: Credential): Promise<Caller> =>
    access.authenticator.authenticate(credential)
  return {
    ...access,
    ask,
    bearer: (value: string) => ask({ kind: 'bearer', value }),
    now: () => time,
    pass: (ms: number): void => {
      time += ms
    },
  }
}

/** The problem that an attempt ends with. An attempt that succeeds, or ends with a bug, throws. */
export const problemOf = async (attempt: () => unknown): Promise<Problem> => {
  try {
    await attempt()
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error('the attempt succeeded')
}
