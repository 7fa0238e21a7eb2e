import type { Caller } from './caller.ts'

/** The credentials that a request carries. HTTP has already said that there is at most one. */
export type Credential =
  /** The token of `Authorization: Bearer`: a key, a JWT or a ticket. */
  | { readonly kind: 'bearer'; readonly value: string }
  /** The value of `X-Api-Key`: a key. */
  | { readonly kind: 'key'; readonly value: string }
  /** The query parameter `ticket` of the events routes and the file route. */
  | { readonly kind: 'ticket'; readonly value: string }

/** Says who calls. */
export interface Authenticator {
  /**
   * A key is answered at once, without a promise, because most requests carry one.
   *
   * @throws Problem `unauthenticated` when there is no credential but one is needed, or when the
   * credential is unknown, expired or malformed; `forbidden` when the token opens no account
   */
  authenticate(credential: Credential | undefined): Caller | Promise<Caller>
}
