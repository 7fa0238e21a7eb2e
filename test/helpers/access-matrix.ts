import { digestOf } from '../../src/access/keys.ts'
import type { AccessFileText } from './access-gateway.ts'
import { eventsPath, manyEventsPath, statusPath } from './gateway.ts'

/**
 * Callers, what they may do, and what each request must be answered. The verdicts are computed here
 * from the access file alone, and by other code than that of the gateway.
 */

export const ALL_SCOPES: readonly string[] = ['status', 'start', 'file']

/** What a credential allows, as the access file or a ticket says it. */
export interface Rights {
  readonly accounts: readonly string[]
  readonly campaigns?: readonly string[]
  /** Single exports of a ticket, as `cam_…/axp_…`. */
  readonly exports?: readonly string[]
  readonly scopes?: readonly string[]
}

export const CALLERS: Readonly<Record<string, Rights>> = {
  everything: { accounts: ['sales', 'emea'] },
  'other-first': { accounts: ['emea', 'sales'] },
  'one-campaign': { accounts: ['sales'], campaigns: ['cam_S1'] },
  'two-accounts': { accounts: ['sales', 'emea'], campaigns: ['cam_S2', 'cam_E1'] },
  reader: { accounts: ['emea'], scopes: ['status'] },
  downloader: { accounts: ['sales'], scopes: ['file'] },
  starter: { accounts: ['emea', 'sales'], campaigns: ['cam_E1', 'cam_S1'], scopes: ['start'] },
  stranger: { accounts: ['sales'], campaigns: ['cam_Nobody'] },
}

export const accessFileOf = (
  keys: Readonly<Record<string, string>>,
  accounts: Readonly<Record<string, string>>,
): AccessFileText => ({
  accounts: Object.fromEntries(
    Object.entries(accounts).map(([name, apiKey]) => [name, { apiKey }]),
  ),
  callers: Object.fromEntries(
    Object.entries(CALLERS).map(([name, rights]) => [
      name,
      { keys: [digestOf(keys[name] ?? '')], ...rights },
    ]),
  ),
})

export interface Target {
  readonly campaignId: string
  readonly exportId: string
  /** The account that has it at lemlist. Undefined = there is no such campaign. */
  readonly account: string | undefined
}

export const TARGETS: readonly Target[] = [
  { campaignId: 'cam_S1', exportId: 'axp_S1', account: 'sales' },
  { campaignId: 'cam_S2', exportId: 'axp_S2', account: 'sales' },
  { campaignId: 'cam_E1', exportId: 'axp_E1', account: 'emea' },
  { campaignId: 'cam_None', exportId: 'axp_None', account: undefined },
]

export const ACCOUNT_HEADERS: readonly (string | undefined)[] = [
  undefined,
  'sales',
  'emea',
  'nowhere',
]

export interface Route {
  readonly name: string
  readonly method: string
  /** Undefined for the route of tickets, which has rules of its own. */
  readonly scope: string | undefined
  /** Whether the route names an export, and not only its campaign. */
  readonly namesExport: boolean
  readonly takesTicket: boolean
  pathOf(target: Target): string
}

/** Routes that say what the gateway knows of a campaign, and ask lemlist nothing about it. */
export const OF_CAMPAIGNS: ReadonlySet<string> = new Set(['list', 'list head'])
/** A stream that never ends. Here only its refusals are asked for. */
export const ENDLESS = 'campaign'

const filePath = (target: Target) => statusPath(target).replace(/status$/, 'file')
const status = { scope: 'status', namesExport: true }
const listPath = ({ campaignId }: Target) => `/campaigns/${campaignId}/exports`
const list = { scope: 'status', namesExport: false, takesTicket: false, pathOf: listPath }
const file = { scope: 'file', namesExport: true, takesTicket: true, pathOf: filePath }

export const ROUTES: readonly Route[] = [
  { name: 'status', method: 'GET', ...status, takesTicket: false, pathOf: statusPath },
  { name: 'status head', method: 'HEAD', ...status, takesTicket: false, pathOf: statusPath },
  { name: 'events', method: 'GET', ...status, takesTicket: true, pathOf: eventsPath },
  {
    ...{ name: 'many', method: 'GET', ...status, takesTicket: true },
    pathOf: (target) => manyEventsPath([target]),
  },
  { name: 'list', method: 'GET', ...list },
  { name: 'list head', method: 'HEAD', ...list },
  {
    ...{ name: ENDLESS, method: 'GET', scope: 'status', namesExport: false, takesTicket: true },
    pathOf: ({ campaignId }) => `/campaigns/${campaignId}/events`,
  },
  { name: 'file', method: 'GET', ...file },
  { name: 'file head', method: 'HEAD', ...file },
  {
    ...{ name: 'start', method: 'POST', scope: 'start', namesExport: false, takesTicket: false },
    pathOf: ({ campaignId }) => `/campaigns/${campaignId}/export/start`,
  },
  {
    ...{ name: 'tickets', method: 'POST', scope: undefined, namesExport: false },
    ...{ takesTicket: false, pathOf: () => '/tickets' },
  },
]

/**
 * `allowed`; `missing` = the caller may ask, but lemlist does not know it; `foreign` = the caller may
 * not see the campaign; `no-account` = the caller has no such account.
 */
export type Verdict =
  | 'allowed'
  | 'missing'
  | 'foreign'
  | 'no-account'
  | 'unauthenticated'
  | 'forbidden'

export interface Credential {
  readonly name: string
  readonly kind: 'key' | 'jwt' | 'ticket' | 'none'
  readonly rights: Rights | undefined
}

export const verdictOf = (
  { kind, rights }: Credential,
  route: Route,
  target: Target,
  header: string | undefined,
): Verdict => {
  if (rights === undefined) return 'unauthenticated'
  const { accounts, campaigns, exports = [], scopes = ALL_SCOPES } = rights
  const account = header ?? accounts[0]
  const hasAccount = account !== undefined && accounts.includes(account)
  if (route.scope === undefined) {
    const isTicket = kind === 'ticket'
    const hasNone = !scopes.includes('status') && !scopes.includes('file')
    if (isTicket || hasNone) return 'forbidden'
  } else if (!scopes.includes(route.scope)) return 'forbidden'
  if (!hasAccount) return 'no-account'
  const isListed = campaigns === undefined || campaigns.includes(target.campaignId)
  const isNamed = exports.includes(`${target.campaignId}/${target.exportId}`)
  if (!isListed && !(route.namesExport && isNamed)) return 'foreign'
  // Whether lemlist knows a campaign does not matter for a ticket.
  if (route.scope === undefined) return 'allowed'
  return target.account === account ? 'allowed' : 'missing'
}
