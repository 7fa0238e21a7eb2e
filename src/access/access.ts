import { randomBytes } from 'node:crypto'
import { Secret } from '../config/secret.ts'
import type { AccessFile } from './access-file.ts'
import { createAuthenticator } from './authentication.ts'
import type { Authenticator } from './authenticator.ts'
import { createJwtVerifier, type JwtOptions } from './jwt.ts'
import { createKeyFetch } from './key-fetch.ts'
import type { Fetch } from './key-set.ts'
import { createRegistry } from './registry.ts'
import { createTickets, type Tickets } from './tickets.ts'
import type { Measure } from './verified.ts'

/** Who may see what: everything that the rest of the gateway needs from this folder. */
export interface Access {
  readonly authenticator: Authenticator
  readonly tickets: Tickets
  /**
   * Replaces the callers, and the secret of tickets if there is another one. Tickets of a caller who
   * is not in the file any more end at once.
   *
   * @returns what changed, by name, for the log: `caller crm: keys changed`
   */
  reload(file: AccessFile, ticketSecret?: Secret): readonly string[]
}

export interface AccessOptions {
  /** How callers may prove themselves. Empty = nobody has to. */
  readonly auth: ReadonlySet<'keys' | 'jwt'>
  readonly file?: AccessFile | undefined
  /** Required when `auth` has `jwt`. */
  readonly jwt?: JwtOptions | undefined
  /** At least 32 bytes. Undefined = a random one, which ends with the process. */
  readonly ticketSecret?: Secret | undefined
  /**
   * The names of the lemlist accounts as they are now, at least one. It should return the same list
   * until they change.
   */
  readonly accounts: () => readonly string[]
  /** Fetches the keys that check tokens. Default: without a proxy. */
  readonly fetch?: Fetch | undefined
  /** Epoch milliseconds. Default: the wall clock. */
  readonly now?: (() => number) | undefined
  /** Told when the keys that check tokens cannot be fetched. The keys of before stay. */
  readonly onTrouble?: ((error: unknown) => void) | undefined
  readonly bounds?: Measure | undefined
}

export const createAccess = (options: AccessOptions): Access => {
  const { auth, accounts, fetch = createKeyFetch(), now = Date.now, onTrouble, bounds } = options
  const secret = options.ticketSecret ?? new Secret(randomBytes(32).toString('base64url'))
  const registry = createRegistry(options.file)
  const tickets = createTickets({ secret, now, bounds })
  const jwt =
    auth.has('jwt') && options.jwt !== undefined
      ? createJwtVerifier({ jwt: options.jwt, fetch, now, onTrouble, bounds })
      : undefined
  return {
    authenticator: createAuthenticator({ auth, registry, jwt, tickets, accounts }),
    tickets: { make: tickets.make },
    reload: (file, ticketSecret) => {
      const isOther = ticketSecret !== undefined && tickets.changeSecret(ticketSecret)
      return [...registry.reload(file), ...(isOther ? ['ticket secret: changed'] : [])]
    },
  }
}
