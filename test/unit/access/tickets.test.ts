import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { type Caller, maySee } from '../../../src/access/caller.ts'
import { Secret } from '../../../src/config/config.ts'
import {
  accessFile,
  entry,
  KEYS,
  problemOf,
  startAccess,
  TICKET_SECRET,
} from '../../helpers/callers.ts'

const FILE = accessFile({
  crm: entry(KEYS.crm),
  bi: entry(KEYS.bi, { campaigns: ['cam_A', 'cam_B'], scopes: ['status'] }),
})

const start = (options: Parameters<typeof startAccess>[0] = {}) => {
  const access = startAccess({ file: FILE, ...options })
  return {
    ...access,
    ticketOf: async (key: string, request: unknown): Promise<string> => {
      const { ticket } = await access.tickets.make(await access.bearer(key), 'default', request)
      return ticket
    },
    open: (ticket: string): Promise<Caller> => access.ask({ kind: 'ticket', value: ticket }),
  }
}

const see = (caller: Caller, campaignId: string, exportId?: string): boolean =>
  maySee(caller, { account: 'default', campaignId, ...(exportId !== undefined && { exportId }) })

/** A token with the secret of tickets, which only the gateway and whoever knows the secret can sign. */
const sign = (
  claims: Readonly<Record<string, unknown>>,
  { secret = TICKET_SECRET, header = {} }: { secret?: Secret; header?: object } = {},
): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'leg-ticket+jwt', ...header })
    .sign(new TextEncoder().encode(secret.reveal()))

describe('a ticket', () => {
  it('opens what it names and nothing else', async () => {
    const { ticketOf, open } = start()
    const ticket = await ticketOf(KEYS.crm, { exports: ['cam_A/axp_1'], campaigns: ['cam_B'] })
    const caller = await open(ticket)
    expect(caller).toMatchObject({ name: 'crm', id: 'key:crm', proof: 'ticket' })
    expect(caller.accounts).toEqual(['default'])
    expect(see(caller, 'cam_A', 'axp_1')).toBe(true)
    expect(see(caller, 'cam_B', 'axp_9')).toBe(true)
    expect(see(caller, 'cam_B')).toBe(true)
    expect(see(caller, 'cam_A', 'axp_2')).toBe(false)
    expect(see(caller, 'cam_A')).toBe(false)
    expect(see(caller, 'cam_C', 'axp_1')).toBe(false)
    expect(maySee(caller, { account: 'sales', campaignId: 'cam_B' })).toBe(false)
  })

  it('is taken as a bearer token too, and not as a key', async () => {
    const { ticketOf, bearer, ask } = start()
    const ticket = await ticketOf(KEYS.crm, { campaigns: ['cam_A'] })
    expect((await bearer(ticket)).proof).toBe('ticket')
    const { code } = await problemOf(() => ask({ kind: 'key', value: ticket }))
    expect(code).toBe('unauthenticated')
  })

  it('reads statuses and files when it names no scopes, as far as its maker has them', async () => {
    const { ticketOf, open } = start()
    const ofCrm = await open(await ticketOf(KEYS.crm, { campaigns: ['cam_A'] }))
    expect([...ofCrm.scopes]).toEqual(['status', 'file'])
    const ofBi = await open(await ticketOf(KEYS.bi, { campaigns: ['cam_A'] }))
    expect([...ofBi.scopes]).toEqual(['status'])
  })

  it('has the scopes that it names', async () => {
    const { ticketOf, open } = start()
    const request = { campaigns: ['cam_A'], scopes: ['start', 'start'] }
    expect([...(await open(await ticketOf(KEYS.crm, request))).scopes]).toEqual(['start'])
  })

  it('ends at the second that it says', async () => {
    const { tickets, bearer, open, now, pass } = start()
    const { ticket, expiresAt } = await tickets.make(await bearer(KEYS.crm), 'default', {
      campaigns: ['cam_A'],
      ttl: 60,
    })
    expect(expiresAt).toBe('2026-11-26T10:01:00.000Z')
    pass(Date.parse(expiresAt) - now() - 1)
    expect((await open(ticket)).proof).toBe('ticket')
    pass(1)
    expect((await problemOf(() => open(ticket))).code).toBe('unauthenticated')
  })

  it('that was never used before ends at the second that it says', async () => {
    const { ticketOf, open, pass } = start()
    const ticket = await ticketOf(KEYS.crm, { campaigns: ['cam_A'], ttl: 60 })
    pass(60_000)
    expect((await problemOf(() => open(ticket))).code).toBe('unauthenticated')
  })

  it('lasts 15 minutes when it names no time', async () => {
    const { tickets, bearer } = start()
    const made = await tickets.make(await bearer(KEYS.crm), 'default', { campaigns: ['cam_A'] })
    expect(made.expiresAt).toBe('2026-11-26T10:15:00.000Z')
  })

  it('is the same on every replica with the secret, and nothing on one with another', async () => {
    const { ticketOf } = start()
    const ticket = await ticketOf(KEYS.crm, { campaigns: ['cam_A'] })
    expect((await start().open(ticket)).name).toBe('crm')
    const other = start({ ticketSecret: new Secret('another-secret-that-has-32-bytes!') })
    expect((await problemOf(() => other.open(ticket))).code).toBe('unauthenticated')
    const own = start({ ticketSecret: undefined })
    expect((await problemOf(() => own.open(ticket))).code).toBe('unauthenticated')
  })

  it('ends when the secret is replaced, even though it was in use', async () => {
    const { ticketOf, open, reload } = start()
    const ticket = await ticketOf(KEYS.crm, { campaigns: ['cam_A'] })
    await open(ticket)
    reload(FILE, TICKET_SECRET)
    await open(ticket)
    reload(FILE, new Secret('another-secret-that-has-32-bytes!'))
    expect((await problemOf(() => open(ticket))).code).toBe('unauthenticated')
    await open(await ticketOf(KEYS.crm, { campaigns: ['cam_A'] }))
  })

  it('ends when its maker is taken out of the file, even though it was in use', async () => {
    const { ticketOf, open, reload } = start()
    const ticket = await ticketOf(KEYS.crm, { campaigns: ['cam_A'] })
    await open(ticket)
    reload(accessFile({ bi: entry(KEYS.bi) }))
    expect((await problemOf(() => open(ticket))).code).toBe('unauthenticated')
  })

  it('goes on when only the key of its maker was replaced', async () => {
    const { ticketOf, open, reload } = start()
    const ticket = await ticketOf(KEYS.crm, { campaigns: ['cam_A'] })
    reload(accessFile({ crm: entry(KEYS.spare) }))
    expect((await open(ticket)).name).toBe('crm')
  })

  it('loses what its maker loses', async () => {
    const { ticketOf, open, reload } = start()
    const ticket = await ticketOf(KEYS.crm, {
      exports: ['cam_A/axp_1', 'cam_C/axp_3'],
      campaigns: ['cam_B', 'cam_D'],
    })
    reload(
      accessFile({ crm: entry(KEYS.crm, { campaigns: ['cam_A', 'cam_B'], scopes: ['file'] }) }),
    )
    const caller = await open(ticket)
    expect([...caller.scopes]).toEqual(['file'])
    expect(see(caller, 'cam_A', 'axp_1')).toBe(true)
    expect(see(caller, 'cam_B', 'axp_2')).toBe(true)
    expect(see(caller, 'cam_C', 'axp_3')).toBe(false)
    expect(see(caller, 'cam_D', 'axp_4')).toBe(false)
  })

  it('ends when its maker loses the account', async () => {
    const names = ['default', 'other']
    const { ticketOf, open, reload } = start({ accounts: () => names })
    const ticket = await ticketOf(KEYS.crm, { campaigns: ['cam_A'] })
    const callers = new Map(
      [...FILE.callers].map(([of, one]) => [of, { ...one, accounts: ['other'] }]),
    )
    reload({ accounts: undefined, callers })
    expect((await problemOf(() => open(ticket))).code).toBe('unauthenticated')
  })

  it('makes no other ticket', async () => {
    const { ticketOf, open, tickets } = start()
    const holder = await open(await ticketOf(KEYS.crm, { campaigns: ['cam_A'] }))
    const { code } = await problemOf(() =>
      tickets.make(holder, 'default', { campaigns: ['cam_A'], ttl: 1 }),
    )
    expect(code).toBe('forbidden')
  })

  it('fits into a URL of 8 KiB with 100 exports of 100 campaigns', async () => {
    const { ticketOf } = start()
    const id = (kind: string, n: number): string => `${kind}_${String(n).padStart(17, 'A')}`
    const exports = Array.from({ length: 100 }, (_, n) => `${id('cam', n)}/${id('axp', n)}`)
    expect((await ticketOf(KEYS.crm, { exports })).length).toBeLessThan(7_680)
    const oneCampaign = Array.from({ length: 100 }, (_, n) => `${id('cam', 1)}/${id('axp', n)}`)
    expect((await ticketOf(KEYS.crm, { exports: oneCampaign })).length).toBeLessThan(4_096)
  })
})

describe('a ticket is not made', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['without a target', {}, ['']],
    ['for nothing', { exports: [], campaigns: [] }, ['']],
    ['for more than 100 targets', { exports: many(60), campaigns: manyCampaigns(41) }, ['']],
    ['for more than 100 exports', { exports: many(101) }, ['/exports']],
    ['for something that is no export', { exports: ['cam_A/axp_1', 'axp_1'] }, ['/exports/1']],
    ['for something that is no campaign', { campaigns: ['cam_A/axp_1'] }, ['/campaigns/0']],
    ['for a list that is none', { campaigns: 'cam_A' }, ['/campaigns']],
    ['for a scope that there is not', { campaigns: ['cam_A'], scopes: ['all'] }, ['/scopes/0']],
    ['for no scope', { campaigns: ['cam_A'], scopes: [] }, ['/scopes']],
    ['for no time', { campaigns: ['cam_A'], ttl: 0 }, ['/ttl']],
    ['for longer than 8 100 s', { campaigns: ['cam_A'], ttl: 8_101 }, ['/ttl']],
    ['for half a second', { campaigns: ['cam_A'], ttl: 0.5 }, ['/ttl']],
    ['for a time in words', { campaigns: ['cam_A'], ttl: '900' }, ['/ttl']],
    ['with an unknown field', { campaigns: ['cam_A'], export: [] }, ['']],
    ['of a text', 'cam_A', ['']],
    ['of nothing at all', undefined, ['']],
  ])('%s', async (_, request, paths) => {
    const { ticketOf } = start()
    const problem = await problemOf(() => ticketOf(KEYS.crm, request))
    expect(problem.code).toBe('invalid-request')
    expect(problem.options.errors?.map(({ path }) => path)).toEqual(paths)
  })

  it('for a campaign that is not the maker’s, as if there were none', async () => {
    const { ticketOf } = start()
    const request = { exports: ['cam_A/axp_1', 'cam_C/axp_1'], campaigns: ['cam_D'] }
    const problem = await problemOf(() => ticketOf(KEYS.bi, request))
    expect(problem.code).toBe('campaign-not-found')
    expect(problem.options.errors?.map(({ path }) => path)).toEqual(['/exports/1', '/campaigns/0'])
  })

  it('for an account that is not the maker’s', async () => {
    const { tickets, bearer } = start()
    const maker = await bearer(KEYS.crm)
    const problem = await problemOf(() => tickets.make(maker, 'sales', { campaigns: ['cam_A'] }))
    expect(problem.code).toBe('campaign-not-found')
  })

  it('for a scope that its maker lacks', async () => {
    const { ticketOf } = start()
    for (const scopes of [['file'], ['status', 'start']]) {
      const { code } = await problemOf(() => ticketOf(KEYS.bi, { campaigns: ['cam_A'], scopes }))
      expect(code).toBe('forbidden')
    }
  })

  it('by default for a maker who can read neither statuses nor files', async () => {
    const { ticketOf } = start({
      file: accessFile({ crm: entry(KEYS.crm, { scopes: ['start'] }) }),
    })
    const { code } = await problemOf(() => ticketOf(KEYS.crm, { campaigns: ['cam_A'] }))
    expect(code).toBe('forbidden')
  })

  it('when it would not fit into a URL', async () => {
    const { ticketOf } = start()
    const long = (n: number): string => String(n).padStart(64, 'A')
    const exports = Array.from({ length: 100 }, (_, n) => `cam_${long(n)}/axp_${long(n)}`)
    const problem = await problemOf(() => ticketOf(KEYS.crm, { exports }))
    expect(problem.code).toBe('invalid-request')
  })
})

describe('a ticket is refused', () => {
  const claims = {
    sub: 'key:crm',
    exp: Date.parse('2026-11-26T10:05:00Z') / 1_000,
    account: 'default',
    exports: {},
    campaigns: ['cam_A'],
    scopes: ['status'],
  }

  it('not when it is as the gateway makes it', async () => {
    expect((await start().open(await sign(claims))).name).toBe('crm')
  })

  it('whichever character of it is changed', async () => {
    const { open } = start()
    const ticket = await sign(claims)
    // The last character holds two bits that are no part of the signature.
    for (let index = 0; index < ticket.length - 1; index += 1) {
      const changed = ticket[index] === 'A' ? 'B' : 'A'
      const forged = ticket.slice(0, index) + changed + ticket.slice(index + 1)
      expect((await problemOf(() => open(forged))).code, String(index)).toBe('unauthenticated')
    }
  })

  it.each<[string, object, Parameters<typeof sign>[1]]>([
    ['signed with another secret', {}, { secret: new Secret('x'.repeat(32)) }],
    ['of another type', {}, { header: { typ: 'JWT' } }],
    ['without a type', {}, { header: { typ: undefined } }],
    ['with HS512', {}, { header: { alg: 'HS512' } }],
    ['with a critical extension', {}, { header: { crit: ['b64'], b64: true } }],
    ['without an end', { exp: undefined }, {}],
    ['of nobody', { sub: undefined }, {}],
    ['of a caller of no kind', { sub: 'crm' }, {}],
    ['of a caller who is not in the file', { sub: 'key:gone' }, {}],
    ['of anonymous, when callers are known', { sub: 'anonymous' }, {}],
    ['of a JWT, when none are taken', { sub: 'jwt:alice' }, {}],
    ['for an account that its maker has not', { account: 'sales' }, {}],
    ['with campaigns of a wrong form', { campaigns: undefined }, {}],
    ['with scopes that there are not', { scopes: ['all'] }, {}],
  ])('when it is %s', async (_, changes, how) => {
    const { open } = start()
    const ticket = await sign({ ...claims, ...changes }, how)
    const problem = await problemOf(() => open(ticket))
    expect(problem.code).toBe('unauthenticated')
    expect(problem.message).toBe('The credential is unknown, expired or malformed.')
  })

  it('with the algorithm none', async () => {
    const { open } = start()
    const [, body = ''] = (await sign(claims)).split('.')
    const header = Buffer.from('{"alg":"none","typ":"leg-ticket+jwt"}').toString('base64url')
    for (const forged of [`${header}.${body}.`, `${header}.${body}`, `${header}..`]) {
      expect((await problemOf(() => open(forged))).code).toBe('unauthenticated')
    }
  })

  it('with a reason for the log that holds neither the ticket nor what it says', async () => {
    const { open, pass } = start()
    const ticket = await sign(claims)
    pass(3_600_000)
    const { options } = await problemOf(() => open(ticket))
    expect(options.cause).toEqual(new Error('ERR_JWT_EXPIRED: the claim exp'))
    expect(JSON.stringify(options.cause)).toBe('{}')
  })
})

describe('with AUTH=none a ticket', () => {
  const open = () => start({ auth: new Set(), file: undefined })

  it('is made by anonymous and taken', async () => {
    const { ask, tickets, open: use } = open()
    const anonymous = await ask()
    const { ticket } = await tickets.make(anonymous, 'default', { campaigns: ['cam_A'] })
    const holder = await use(ticket)
    expect(holder).toMatchObject({ name: 'anonymous', id: 'anonymous', proof: 'ticket' })
    expect(see(holder, 'cam_B')).toBe(false)
  })

  it('is refused when it has ended, so that clients learn to fetch another one', async () => {
    const { ask, tickets, open: use, pass } = open()
    const { ticket } = await tickets.make(await ask(), 'default', { campaigns: ['cam_A'], ttl: 1 })
    pass(2_000)
    expect((await problemOf(() => use(ticket))).code).toBe('unauthenticated')
    expect((await problemOf(() => use('garbage'))).code).toBe('unauthenticated')
  })
})

function many(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `cam_A/axp_${n}`)
}

function manyCampaigns(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `cam_${n}`)
}
