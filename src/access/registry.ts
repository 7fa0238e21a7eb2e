import type { AccessFile, CallerEntry } from './access-file.ts'
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

const changesOf = (before: AccessFile, after: AccessFile): readonly string[] =>
  [...new Set([...before.callers.keys(), ...after.callers.keys()])].flatMap((name) => {
    const [old, now] = [before.callers.get(name), after.callers.get(name)]
    if (old === undefined) return [`caller ${name}: added`]
    if (now === undefined) return [`caller ${name}: removed`]
    return [
      ...(listText(old.keys) === listText(now.keys) ? [] : [`caller ${name}: keys changed`]),
      ...(rightsText(old) === rightsText(now) ? [] : [`caller ${name}: rights changed`]),
    ]
  })

const listText = (list: Iterable<string>): string => [...list].toSorted().join(' ')
const rightsText = ({ accounts, campaigns, scopes }: CallerEntry): string =>
  // The first account is the one that is used when a request names none, so their order counts.
  [accounts.join(' '), campaigns ? listText(campaigns) : '*', listText(scopes)].join('|')
