import { jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Secret } from '../config/secret.ts'
import { type Caller, SCOPES, type Scope } from './caller.ts'
import { requireCompact } from './compact.ts'
import { refused } from './refusals.ts'
import { grant, invalidRequest } from './ticket-request.ts'
import { createVerified, type Measure } from './verified.ts'

/** What a ticket says. */
export interface TicketClaims {
  /** `Caller.id` of the one who made it. */
  readonly maker: string
  readonly account: string
  /** As `cam_…/axp_…`. */
  readonly exports: ReadonlySet<string>
  readonly campaigns: ReadonlySet<string>
  readonly scopes: ReadonlySet<Scope>
}

/** With the path of a route a ticket must fit into a URL of 8 KiB. */
const MAX_TICKET_CHARS = 7_680
const TOO_LONG = 'names too much for one URL; name fewer exports, or whole campaigns'

export interface Ticket {
  readonly ticket: string
  /** RFC 3339. */
  readonly expiresAt: string
}

export interface Tickets {
  /**
   * Makes a ticket that opens exports and campaigns of one account of its maker.
   *
   * @param account one of the maker's accounts
   * @param request what `ticketRequest` describes; it is checked here as well
   * @throws Problem `invalid-request` with the faults of the request, `forbidden` when the maker
   * lacks a scope or has a ticket only, `campaign-not-found` when a target is not the maker's
   */
  make(maker: Caller, account: string, request: unknown): Promise<Ticket>
}

/** Part of the header, so that no other token that was signed with the same secret is a ticket. */
const TYPE = 'leg-ticket+jwt'
const HEADER = { alg: 'HS256', typ: TYPE } as const
/** The first characters of every ticket: its header never varies. */
const BEGINNING = `${Buffer.from(JSON.stringify(HEADER)).toString('base64url')}.`

export const isTicket = (text: string): boolean => text.startsWith(BEGINNING)

const payload = z.object({
  sub: z.string(),
  exp: z.number(),
  account: z.string(),
  exports: z.record(z.string(), z.array(z.string())),
  campaigns: z.array(z.string()),
  scopes: z.array(z.enum(SCOPES)),
})

interface TicketsOptions {
  /** At least 32 bytes (RFC 7518, 3.2). */
  readonly secret: Secret
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly bounds?: Measure | undefined
}

export interface TicketBook extends Tickets {
  /** @throws Problem `unauthenticated` when the ticket is not one of ours, or has ended */
  verify(ticket: string): TicketClaims | Promise<TicketClaims>
  /**
   * From now on tickets that were signed with the secret of before are refused.
   * @returns whether it is another secret
   */
  changeSecret(secret: Secret): boolean
}

export const createTickets = ({ secret, now, bounds }: TicketsOptions): TicketBook => {
  const verified = createVerified<TicketClaims>(now, undefined, (used) => bounds?.('tickets', used))
  let key = bytesOf(secret)
  let era = 0

  const check = async (ticket: string): Promise<TicketClaims> => {
    const began = era
    requireCompact(ticket)
    try {
      const token = await jwtVerify(ticket, key, {
        algorithms: [HEADER.alg],
        typ: HEADER.typ,
        currentDate: new Date(now()),
      })
      const said = payload.parse(token.payload)
      const claims = claimsOf(said)
      verified.set(ticket, claims, said.exp * 1_000, began)
      return claims
    } catch (error) {
      throw refused(error)
    }
  }

  return {
    make: async (maker, account, request) => {
      const { exports, campaigns, scopes, ttl } = grant(maker, account, request)
      // Rounded up, so that a ticket of one second is of use.
      const exp = Math.ceil(now() / 1_000) + ttl
      const ticket = await new SignJWT({ account, exports: byCampaign(exports), campaigns, scopes })
        .setProtectedHeader(HEADER)
        .setSubject(maker.id)
        // A client counts the life of a ticket from its arrival, whatever the client's clock says.
        .setIssuedAt(exp - ttl)
        .setExpirationTime(exp)
        .sign(key)
      if (ticket.length > MAX_TICKET_CHARS) {
        throw invalidRequest([{ path: '', message: TOO_LONG }])
      }
      return { ticket, expiresAt: new Date(exp * 1_000).toISOString() }
    },
    verify: (ticket) => {
      if (!isTicket(ticket)) throw refused()
      return verified.get(ticket, era) ?? check(ticket)
    },
    changeSecret: (next) => {
      const bytes = bytesOf(next)
      if (Buffer.compare(bytes, key) === 0) return false
      key = bytes
      era += 1
      return true
    },
  }
}

const bytesOf = (secret: Secret): Uint8Array => new TextEncoder().encode(secret.reveal())

/** Shorter than a list of pairs when there are many exports of one campaign. */
const byCampaign = (exports: readonly string[]): Record<string, string[]> => {
  const grouped = new Map<string, string[]>()
  for (const one of exports) {
    const [campaignId = '', exportId = ''] = one.split('/')
    grouped.set(campaignId, [...(grouped.get(campaignId) ?? []), exportId])
  }
  return Object.fromEntries(grouped)
}

const claimsOf = ({ sub, account, exports, campaigns, scopes }: z.output<typeof payload>) => ({
  maker: sub,
  account,
  exports: new Set(
    Object.entries(exports).flatMap(([campaignId, ids]) => ids.map((id) => `${campaignId}/${id}`)),
  ),
  campaigns: new Set(campaigns),
  scopes: new Set(scopes),
})
