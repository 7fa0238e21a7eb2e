/** The words of access: who calls, and what he may see and do. */

/** What a caller may do: read and watch statuses, start exports, download files. */
export const SCOPES = ['status', 'start', 'file'] as const
export type Scope = (typeof SCOPES)[number]

/** How a caller has proved who he is. With `AUTH=none` nobody proves anything. */
export type Proof = 'key' | 'jwt' | 'ticket' | 'none'

/** One who calls the gateway, with his rights as they are now. */
export interface Caller {
  /** His name in the access file, the `sub` of his token, or `anonymous`. For the log. */
  readonly name: string
  /**
   * Tells callers apart in limits and idempotency keys. The holder of a ticket counts as the caller
   * that made it. A token's `sub` never equals a name of the access file.
   */
  readonly id: string
  readonly proof: Proof
  /** The accounts he may use, at least one. A request that names none uses the first. */
  readonly accounts: readonly string[]
  /** The campaigns he may use. Undefined = all campaigns of his accounts. */
  readonly campaigns: ReadonlySet<string> | undefined
  /** Single exports that a ticket opens besides its campaigns, as `cam_…/axp_…`. */
  readonly exports: ReadonlySet<string>
  readonly scopes: ReadonlySet<Scope>
}

/** What a request names: an export, or a whole campaign when there is no export id. */
export interface Target {
  readonly account: string
  readonly campaignId: string
  readonly exportId?: string
}

/** Whether the caller may see the target. What he may do with it is a question of his scopes. */
export const maySee = (caller: Caller, { account, campaignId, exportId }: Target): boolean => {
  if (!caller.accounts.includes(account)) return false
  if (caller.campaigns === undefined || caller.campaigns.has(campaignId)) return true
  return exportId !== undefined && caller.exports.has(`${campaignId}/${exportId}`)
}
