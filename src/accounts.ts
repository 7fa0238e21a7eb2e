import { type Account, createAccount } from './account.ts'
import type { Config, Secret } from './config/config.ts'
import type { Store } from './exports/ports.ts'
import type { Followed } from './exports/watching/overview.ts'
import { createLemlist, type Lemlist } from './lemlist/client.ts'
import { MAX_TRACKED } from './store/tracked.ts'
import type { Logger } from './telemetry/log.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { observerOf } from './telemetry/observer.ts'
import type { Spans } from './telemetry/spans.ts'

/** The lemlist key of each account, by the name of the account. */
export type LemlistKeys = ReadonlyMap<string, Secret>

/**
 * The lemlist accounts of the gateway. Each has a client, sockets, a waiting line, a schedule and a
 * cache of its own, so trouble of one account never slows another one.
 */
export interface Accounts {
  get(name: string): Account | undefined
  /** In the order of the keys. The same list until the accounts change. */
  names(): readonly string[]
  /** How many calls of each account wait for their turn. */
  waiting(): readonly { readonly name: string; readonly waiting: number }[]
  /** All exports that are followed, those first seen last first. */
  followed(): Promise<readonly Followed[]>
  /** Begins to look at what is due. */
  start(): void
  /** Ends the polling of all accounts: no new look at lemlist begins. */
  stop(): void
  /**
   * Uses these keys for the next calls. Adds the accounts that are new and closes those that are
   * gone. The exports of a closed account stay in the store, and are followed again when the account
   * comes back.
   *
   * @returns what changed, by name; the names of the accounts that are gone; and when they are closed
   */
  reload(keys: LemlistKeys): {
    readonly changes: readonly string[]
    readonly gone: readonly string[]
    readonly closed: Promise<unknown>
  }
  /** Closes the connections of all accounts. Idempotent. */
  close(): Promise<void>
}

interface AccountsOptions {
  /** At least one. */
  readonly keys: LemlistKeys
  readonly config: Config
  readonly store: Store
  readonly logger: Logger
  readonly metrics?: Metrics | undefined
  readonly spans?: Spans | undefined
  /** Whether reads may ask lemlist now. Default: always. */
  readonly mayLook?: (() => boolean) | undefined
}

interface Open {
  readonly account: Account
  readonly upstream: Lemlist
}

/** Builds an account for each key, and tells it what the store hears about its exports. */
export const createAccounts = (options: AccountsOptions): Accounts => {
  const { config, store, logger, metrics, spans, mayLook } = options
  let { keys } = options
  let names: readonly string[] = []
  let isPolling = false
  const open = new Map<string, Open>()

  const build = (name: string): Open => {
    const { lemlist, fileTtlMs } = config
    const observer = observerOf(logger, name, metrics)
    const meter = metrics?.account(name)
    const bounds = meter?.bounds
    bounds?.('followed-exports', async () => {
      const { watched, idle, unconfirmed } = await store.schedule(name).count()
      return (watched + idle + unconfirmed) / MAX_TRACKED
    })
    const upstream = createLemlist({
      account: name,
      // Read for each call, so that the next call uses a new key.
      apiKey: () => keys.get(name)?.reveal() ?? '',
      budget: store.budget,
      ...{ meter, bounds },
      beginCall:
        spans && ((operation) => spans.call(`lemlist ${operation}`, { 'gateway.account': name })),
      onOddShape: () => observer.drift('shape'),
      ...{ baseUrl: lemlist.baseUrl, timeoutMs: lemlist.timeoutMs, fileTtlMs },
      proxy: lemlist.proxy && {
        url: lemlist.proxy.url,
        authorization: lemlist.proxy.authorization?.reveal(),
      },
    })
    const common = { config, store, observer, spans, mayLook, bounds }
    const account = createAccount({ name, upstream, ...common })
    return { upstream, account }
  }

  const take = (next: LemlistKeys): void => {
    keys = next
    for (const name of keys.keys()) {
      if (open.has(name)) continue
      const one = build(name)
      open.set(name, one)
      if (isPolling) one.account.tracker.start()
    }
    const now = [...keys.keys()]
    if (now.join() !== names.join()) names = now
  }

  const close = async ({ account, upstream }: Open): Promise<void> => {
    account.tracker.stop()
    account.close()
    await upstream.close()
  }

  take(keys)
  store.updates.listen((ref, update, from) => {
    open.get(ref.account)?.account.hear(ref, update, from)
  })
  store.listen?.({
    switched: () => {
      for (const { account } of open.values()) account.rejoin()
    },
    missed: () => {
      for (const { account } of open.values()) account.renew()
    },
  })

  return {
    get: (name) => open.get(name)?.account,
    names: () => names,
    followed: async () => {
      const lists = await Promise.all([...open.values()].map(({ account }) => account.followed()))
      return lists.flat().sort((one, other) => other.firstSeenAt - one.firstSeenAt)
    },
    waiting: () => [...open].map(([name, { upstream }]) => ({ name, waiting: upstream.waiting() })),
    start: () => {
      isPolling = true
      for (const { account } of open.values()) account.tracker.start()
    },
    stop: () => {
      isPolling = false
      for (const { account } of open.values()) account.tracker.stop()
    },
    reload: (next) => {
      const gone = [...open].filter(([name]) => !next.has(name))
      for (const [name] of gone) {
        open.delete(name)
        metrics?.dropAccount(name)
      }
      const changes = changesOf(keys, next)
      take(next)
      const closed = Promise.all(gone.map(([, one]) => close(one)))
      return { changes, gone: gone.map(([name]) => name), closed }
    },
    close: async () => {
      await Promise.all([...open.values()].map(close))
    },
  }
}

const changesOf = (before: LemlistKeys, after: LemlistKeys): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [old, now] = [before.get(name), after.get(name)]
    if (old === undefined) return [`account ${name}: added`]
    if (now === undefined) return [`account ${name}: removed`]
    return old.reveal() === now.reveal() ? [] : [`account ${name}: key changed`]
  })
