import type { AccessFile, AccountKey, CallerEntry } from './access-file.ts'
import type { Caller } from './caller.ts'
import { createKeyRing, type KeyRing } from './keys.ts'

/** The callers of the access file, as they are now. */
export interface Registry {
  byKey(key: string): Caller | undefined
  byName(name: string): Caller | undefined
  /** Replaces everything at once. Returns what changed, by name: `caller crm: added`. */
  reload(file: AccessFile): readonly string[]
}

export const NO_CALLERS: AccessFile = { accounts: undefined, callers: new Map() }

export const createRegistry = (first: AccessFile = NO_CALLERS): Registry => {
  let file = first
  let callers = callersOf(file)
  let ring = ringOf(file, callers)
  return {
    byKey: (key) => ring.find(key),
    byName: (name) => callers.get(name),
    reload: (next) => {
      const changes = changesOf(file, next)
      file = next
      callers = callersOf(next)
      ring = ringOf(next, callers)
      return changes
    },
  }
}

const callersOf = ({ callers }: AccessFile): ReadonlyMap<string, Caller> =>
  new Map([...callers].map(([name, entry]) => [name, callerOf(name, entry)]))

const callerOf = (name: string, { accounts, campaigns, scopes }: CallerEntry): Caller =>
  Object.freeze({
    name,
    id: `key:${name}`,
    proof: 'key',
    accounts,
    campaigns,
    exports: new Set<string>(),
    scopes,
  })

const ringOf = (file: AccessFile, callers: ReadonlyMap<string, Caller>): KeyRing<Caller> =>
  createKeyRing(
    [...callers].flatMap(([name, caller]) =>
      (file.callers.get(name)?.keys ?? []).map((digest) => [digest, caller] as const),
    ),
  )

const changesOf = (before: AccessFile, after: AccessFile): readonly string[] => [
  ...compare('account', before.accounts ?? new Map(), after.accounts ?? new Map(), (old, now) =>
    keyText(old) === keyText(now) ? [] : ['key changed'],
  ),
  ...compare('caller', before.callers, after.callers, (old, now) => [
    ...(listText(old.keys) === listText(now.keys) ? [] : ['keys changed']),
    ...(rightsText(old) === rightsText(now) ? [] : ['rights changed']),
  ]),
]

const compare = <T>(
  word: string,
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  differ: (old: T, now: T) => readonly string[],
): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const old = before.get(name)
    const now = after.get(name)
    if (old === undefined) return [`${word} ${name}: added`]
    if (now === undefined) return [`${word} ${name}: removed`]
    return differ(old, now).map((what) => `${word} ${name}: ${what}`)
  })

// These texts are only compared with each other. They appear nowhere, since they hold secrets.
const keyText = (key: AccountKey): string =>
  'apiKey' in key ? `key ${key.apiKey.reveal()}` : `file ${key.apiKeyFile}`
const listText = (list: Iterable<string>): string => [...list].toSorted().join(' ')
const rightsText = ({ accounts, campaigns, scopes }: CallerEntry): string =>
  // The first account is the one that is used when a request names none, so their order counts.
  [accounts.join(' '), campaigns ? listText(campaigns) : '*', listText(scopes)].join('|')
