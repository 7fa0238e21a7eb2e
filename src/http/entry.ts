import type { FastifyRequest } from 'fastify'
import { type Caller, maySee, type Scope } from '../access/caller.ts'
import type { Files } from '../exports/downloading/files.ts'
import { campaignMissing } from '../exports/ends.ts'
import type { CampaignList } from '../exports/reading/campaign-list.ts'
import type { Reader } from '../exports/reading/reader.ts'
import type { Starter } from '../exports/starting/starter.ts'
import type { CampaignWatch } from '../exports/watching/campaign-watch.ts'
import type { Watch } from '../exports/watching/watch.ts'
import { Problem } from '../problems.ts'

/** What routes use of a lemlist account. */
export interface AccountParts {
  readonly reader: Reader
  readonly campaigns: CampaignList
  readonly watch: Watch
  readonly campaignWatch: CampaignWatch
  readonly starter: Starter
  readonly files: Files
  /** Aborted when the account is taken out of the configuration. */
  readonly closed: AbortSignal
}

interface Ids {
  readonly campaignId: string
  readonly exportId?: string
}

/** What a request names, with the account that it is in. */
type Ref<T extends Ids> = T & { readonly account: string }

/** Decides what a caller gets of what he asks for. Each route comes through here. */
export interface Entry {
  /**
   * Finds the account and says what the caller asks for there.
   *
   * @throws Problem `forbidden` when the caller lacks the scope, `campaign-not-found` when he may not
   * see the campaign or has no such account
   */
  enter<T extends Ids>(
    request: FastifyRequest,
    scope: Scope,
    ids: T,
  ): { readonly account: AccountParts; readonly caller: Caller; readonly ref: Ref<T> }
  /**
   * The same, for a route that does not refuse a foreign one at once.
   *
   * @returns no account for what the caller may not see
   * @throws Problem `forbidden` when the caller lacks the scope
   */
  find<T extends Ids>(
    request: FastifyRequest,
    scope: Scope,
    ids: T,
  ): { readonly account: AccountParts | undefined; readonly caller: Caller; readonly ref: Ref<T> }
  /**
   * The same for many, where a foreign one is no reason to refuse the others.
   *
   * @returns the refs in the order of the ids; `foreign` are those that the caller may not see
   * @throws Problem `forbidden` when the caller lacks the scope
   */
  enterMany<T extends Ids>(
    request: FastifyRequest,
    scope: Scope,
    ids: readonly T[],
  ): {
    /** Undefined when the caller has no such account. Then all are foreign. */
    readonly account: AccountParts | undefined
    readonly caller: Caller
    readonly refs: readonly Ref<T>[]
    readonly foreign: ReadonlySet<Ref<T>>
  }
  /** The name of the account that the request uses. It is empty when the caller has no such account. */
  accountName(request: FastifyRequest): string
}

export const createEntry = (accounts: { get(name: string): AccountParts | undefined }): Entry => {
  /** The account of the request. Its name is empty if it is not the caller's. */
  const chosen = ({ notes: { account: name } }: FastifyRequest) =>
    name === undefined ? NO_ACCOUNT : { name, account: accounts.get(name) }

  const callerWith = (request: FastifyRequest, scope: Scope): Caller => {
    const caller = callerOf(request)
    if (caller.scopes.has(scope)) return caller
    throw new Problem('forbidden', `The caller lacks the scope ${scope}.`)
  }

  const find: Entry['find'] = (request, scope, ids) => {
    const caller = callerWith(request, scope)
    const { name, account } = chosen(request)
    const ref = { ...ids, account: name }
    return { account: maySee(caller, ref) ? account : undefined, caller, ref }
  }

  return {
    find,
    enter: (request, scope, ids) => {
      const { account, caller, ref } = find(request, scope, ids)
      if (account === undefined) throw campaignMissing()
      return { account, caller, ref }
    },
    enterMany: (request, scope, ids) => {
      const caller = callerWith(request, scope)
      const { name, account } = chosen(request)
      const refs = ids.map((one) => ({ account: name, ...one }))
      const foreign = refs.filter((ref) => account === undefined || !maySee(caller, ref))
      return { account, caller, refs, foreign: new Set(foreign) }
    },
    accountName: (request) => {
      const { name, account } = chosen(request)
      return account === undefined ? '' : name
    },
  }
}

const NO_ACCOUNT = { name: '', account: undefined } as const

/** The caller of a request to a route that is not open. The hook has set him. */
export const callerOf = ({ notes: { caller } }: FastifyRequest): Caller => {
  if (caller === undefined) throw new Error('the route is not authenticated')
  return caller
}

/** Where nobody proves who he is, all callers are one, and no limit of a caller makes sense. */
export const countedAs = ({ id }: Caller): string | undefined =>
  id === 'anonymous' ? undefined : id
