import { z } from 'zod'
import { key } from '../config/forms.ts'
import { Secret } from '../config/secret.ts'
import { SCOPES, type Scope } from './caller.ts'
import { faultsOf } from './faults.ts'

/** All faults of an access file at once, each as `path: message`. No fault shows a value. */
export class AccessFault extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`The access file has ${faults.length} fault(s):\n${faults.join('\n')}`)
    this.name = 'AccessFault'
    this.faults = faults
  }
}

/** Where the lemlist key of an account is. A file is read again on SIGHUP. */
export type AccountKey = { readonly apiKey: Secret } | { readonly apiKeyFile: string }

/** One caller of the access file, with his rights. */
export interface CallerEntry {
  /** Digests of his keys, one or two, as `sha256:` and 64 hex digits. */
  readonly keys: readonly string[]
  readonly accounts: readonly string[]
  /** Undefined = all campaigns of his accounts. */
  readonly campaigns: ReadonlySet<string> | undefined
  readonly scopes: ReadonlySet<Scope>
}

export interface AccessFile {
  /** The lemlist accounts by name. Undefined = the only account has the key of the environment. */
  readonly accounts: ReadonlyMap<string, AccountKey> | undefined
  readonly callers: ReadonlyMap<string, CallerEntry>
}

/** The account whose key is `LEMLIST_API_KEY`. */
const DEFAULT_ACCOUNT = 'default'
/** The form of the names of callers and accounts. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/
const DIGEST = /^sha256:[0-9a-fA-F]{64}$/
/** The form of lemlist's campaign ids. */
export const CAMPAIGN_ID = /^cam_[A-Za-z0-9]{1,64}$/

const NAME_FAULT = 'the name must be 1 to 63 lower-case letters, digits and -, and not begin with -'
const name = z.string().regex(NAME, NAME_FAULT)
const atLeastOne = 'must name at least one, or be left out for all of them'

const account = z
  .strictObject({ apiKey: key.optional(), apiKeyFile: z.string().min(1).max(4096).optional() })
  .refine(
    ({ apiKey, apiKeyFile }) => (apiKey === undefined) !== (apiKeyFile === undefined),
    'must have either apiKey or apiKeyFile',
  )

const caller = z.strictObject({
  keys: z
    .array(z.string().regex(DIGEST, 'must be sha256: and 64 hex digits').toLowerCase())
    .refine(({ length }) => length === 1 || length === 2, 'must have one or two digests'),
  accounts: z.array(name).min(1, 'must name at least one account'),
  campaigns: z
    .array(z.string().regex(CAMPAIGN_ID, 'must be cam_ and 1 to 64 letters and digits'))
    .min(1, atLeastOne)
    .optional(),
  scopes: z
    .array(z.enum(SCOPES, `must be one of ${SCOPES.join(', ')}`))
    .min(1, atLeastOne)
    .optional(),
})

const file = z.strictObject({
  accounts: z
    .record(name, account)
    .refine((all) => Object.keys(all).length > 0, 'must name at least one account')
    .optional(),
  callers: z.record(name, caller).optional(),
})

/** @throws AccessFault with every fault at once, by path and without values */
export const parseAccessFile = (text: string): AccessFile => {
  const json = parseJson(text)
  const parsed = file.safeParse(json)
  const crossed = crossFaults(references.parse(json))
  if (!parsed.success) throw new AccessFault([...faultsOf(parsed.error.issues), ...crossed])
  if (crossed.length > 0) throw new AccessFault(crossed)
  const accounts = parsed.data.accounts && new Map(Object.entries(parsed.data.accounts))
  const callers = new Map(Object.entries(parsed.data.callers ?? {}))
  return {
    accounts: accounts && new Map([...accounts].map(([of, one]) => [of, accountKey(one)])),
    callers: new Map([...callers].map(([of, one]) => [of, entry(one)])),
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''), (field, value) => {
      // zod leaves this field out of records without a word. No name of ours looks like it.
      if (field === '__proto__') throw new AccessFault(['the file: has a field __proto__'])
      return value
    })
  } catch (error) {
    // The text of JSON.parse's own error shows a part of the file.
    throw error instanceof AccessFault ? error : new AccessFault(['the file: is not JSON'])
  }
}

/** A part of another form refers to nothing. */
const texts = (one: z.ZodType<string>) => z.array(one.catch('')).catch([])
const names = z.record(z.string(), z.unknown())

/** The parts of the file that refer to each other. A part of another form has a fault of its own. */
const references = z
  .object({
    // Undefined when the accounts have another form. Then nothing is said of who names one.
    accounts: names
      .optional()
      .default({ [DEFAULT_ACCOUNT]: {} })
      .or(z.unknown().transform(() => undefined)),
    callers: z
      .record(
        z.string(),
        z
          .object({ keys: texts(z.string().toLowerCase()), accounts: texts(z.string()) })
          .catch({ keys: [], accounts: [] }),
      )
      .catch({}),
  })
  .catch({ accounts: undefined, callers: {} })

/** What one field alone cannot show: accounts that are missing, digests that are there twice. */
const crossFaults = ({ accounts, callers }: z.output<typeof references>): string[] => {
  const faults: string[] = []
  const seen = new Set<string>()
  for (const [of, { keys, accounts: used }] of Object.entries(callers)) {
    // A caller with a bad name has that fault, and his keys are there all the same.
    const isNamed = NAME.test(of)
    used.forEach((one, index) => {
      if (isNamed && accounts && NAME.test(one) && !Object.hasOwn(accounts, one)) {
        faults.push(`callers.${of}.accounts.${index}: is no account of this file`)
      }
    })
    keys.forEach((digest, index) => {
      if (!DIGEST.test(digest)) return
      if (isNamed && seen.has(digest)) faults.push(`callers.${of}.keys.${index}: is there twice`)
      seen.add(digest)
    })
  }
  return faults
}

const accountKey = ({ apiKey, apiKeyFile = '' }: z.output<typeof account>): AccountKey =>
  apiKey === undefined ? { apiKeyFile } : { apiKey: new Secret(apiKey) }

const entry = ({ keys, accounts, campaigns, scopes }: z.output<typeof caller>): CallerEntry => ({
  keys,
  accounts: [...new Set(accounts)],
  campaigns: campaigns && new Set(campaigns),
  scopes: new Set(scopes ?? SCOPES),
})
