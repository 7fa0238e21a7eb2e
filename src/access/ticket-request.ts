import { z } from 'zod'
import { type InputError, Problem } from '../problems.ts'
import { CAMPAIGN_ID } from './access-file.ts'
import { type Caller, maySee, SCOPES, type Scope } from './caller.ts'

/** What may be asked for in a ticket, and by whom. */

const EXPORT = /^cam_[A-Za-z0-9]{1,64}\/[a-z]{3}_[A-Za-z0-9]{1,64}$/
const MAX_TARGETS = 100
/** Seconds. An eighth longer than lemlist keeps a pending export (2 h). */
const MAX_TTL_S = 8_100
const DEFAULT_TTL_S = 900
const DEFAULT_SCOPES: readonly Scope[] = ['status', 'file']

const exportId = z.string().regex(EXPORT, 'must be a campaign id, a slash and an export id')
const campaignId = z.string().regex(CAMPAIGN_ID, 'must be cam_ and 1 to 64 letters and digits')

/** The body of `POST /tickets`. */
export const ticketRequest = z.strictObject({
  exports: z.array(exportId).max(MAX_TARGETS).default([]),
  campaigns: z.array(campaignId).max(MAX_TARGETS).default([]),
  scopes: z.array(z.enum(SCOPES)).min(1).optional(),
  ttl: z.int().min(1).max(MAX_TTL_S).default(DEFAULT_TTL_S),
})

/** A request that its maker is allowed. */
export interface GrantedTicket {
  /** As `cam_…/axp_…`, each once. */
  readonly exports: readonly string[]
  readonly campaigns: readonly string[]
  readonly scopes: readonly Scope[]
  /** Seconds. */
  readonly ttl: number
}

/**
 * @throws Problem `invalid-request`, `forbidden` or `campaign-not-found`, the first and the last
 * with the paths of what is wrong
 */
export const grant = (maker: Caller, account: string, request: unknown): GrantedTicket => {
  if (maker.proof === 'ticket') {
    throw new Problem('forbidden', 'A ticket makes no other ticket.')
  }
  const parsed = ticketRequest.safeParse(request)
  if (!parsed.success) throw invalidRequest(parsed.error.issues.map(toInputError))
  const { ttl } = parsed.data
  const exports = [...new Set(parsed.data.exports)]
  const campaigns = [...new Set(parsed.data.campaigns)]
  const targets = exports.length + campaigns.length
  if (targets === 0 || targets > MAX_TARGETS) {
    const message = `must name 1 to ${MAX_TARGETS} exports and campaigns in all`
    throw invalidRequest([{ path: '', message }])
  }
  const scopes = scopesFor(maker, parsed.data.scopes)
  const foreign = foreignTargets(maker, account, parsed.data)
  if (foreign.length > 0) {
    throw new Problem('campaign-not-found', 'The request names a campaign that does not exist.', {
      errors: foreign,
    })
  }
  return { exports, campaigns, scopes, ttl }
}

export const invalidRequest = (errors: readonly InputError[]): Problem =>
  new Problem('invalid-request', 'The ticket that is asked for is malformed.', { errors })

const toInputError = ({ path, message, code }: z.core.$ZodIssue): InputError => ({
  path: path.map((part) => `/${String(part)}`).join(''),
  // zod's own text repeats the names of the fields.
  message: code === 'unrecognized_keys' ? 'has a field that is not known' : message,
})

const scopesFor = (maker: Caller, asked: readonly Scope[] | undefined): readonly Scope[] => {
  const wanted = asked ?? DEFAULT_SCOPES.filter((scope) => maker.scopes.has(scope))
  if (wanted.length === 0 || wanted.some((scope) => !maker.scopes.has(scope))) {
    throw new Problem('forbidden', 'The caller lacks a scope that the ticket would have.')
  }
  return [...new Set(wanted)]
}

const foreignTargets = (
  maker: Caller,
  account: string,
  { exports, campaigns }: { exports: readonly string[]; campaigns: readonly string[] },
): InputError[] => {
  const sees = (id: string): boolean =>
    maySee(maker, { account, campaignId: id.split('/', 1)[0] ?? '' })
  const check = (field: string, ids: readonly string[]): InputError[] =>
    ids.flatMap((id, index) =>
      sees(id) ? [] : [{ path: `/${field}/${index}`, message: 'does not exist' }],
    )
  return [...check('exports', exports), ...check('campaigns', campaigns)]
}
