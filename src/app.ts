import type { FastifyInstance } from 'fastify'
import { createAccounts, type LemlistKeys } from './accounts.ts'
import { type Config, Secret } from './config/config.ts'
import { DEFAULT_ACCOUNT } from './exports/export.ts'
import { longestAheadMs } from './exports/following/poll-policy.ts'
import { createStreams } from './http/events/streams.ts'
import { gracefulStop } from './http/graceful-stop.ts'
import { listen } from './http/listening.ts'
import { documentRoutes } from './http/openapi/document.ts'
import { clientRoutes } from './http/routes/client.ts'
import { eventsRoute } from './http/routes/events.ts'
import { fileRoute } from './http/routes/file.ts'
import { healthRoutes } from './http/routes/health.ts'
import { manyEventsRoute } from './http/routes/many-events.ts'
import { pageRoutes, type ReadyMadeExport } from './http/routes/page.ts'
import { startRoute } from './http/routes/start.ts'
import { statusRoute } from './http/routes/status.ts'
import { createServer } from './http/server.ts'
import { bodiesFor } from './http/status/bodies.ts'
import { budgetLimits, claimMs } from './lemlist/limits.ts'
import { openStore } from './store/open.ts'
import type { Logger } from './telemetry/log.ts'
import { storeObserverOf } from './telemetry/observer.ts'

export interface App {
  readonly server: FastifyInstance
  /** Opens the port. Resolves to the URL by which callers on this machine reach the gateway. */
  listen(): Promise<string>
  /** Uses these keys from the next call on. Accounts may come and go. */
  reload(keys: LemlistKeys): Promise<void>
  /** Lets requests finish, then closes the server, the lemlist client and the store. Idempotent. */
  close(): Promise<void>
}

export interface AppOptions {
  readonly config: Config
  readonly logger: Logger
  /** The lemlist key of each account. Default: the key of the configuration, for one account. */
  readonly keys?: LemlistKeys
  /** Exports that the live page offers to follow. Only the sandbox sets them. */
  readonly readyMade?: readonly ReadyMadeExport[]
}

/** The composition root: builds each object from those above it, then registers all routes. */
export const createApp = async (options: AppOptions): Promise<App> => {
  const { config, logger, readyMade = [] } = options
  const { lemlist, poll: intervals, sse } = config
  const keys = options.keys ?? new Map([[DEFAULT_ACCOUNT, lemlist.apiKey ?? new Secret('')]])

  // The store, and the accounts with their clients of lemlist and the domain objects that use both.
  const store = openStore(config.storeUrl.reveal(), {
    prefix: config.storePrefix,
    limits: budgetLimits(lemlist),
    reserve: lemlist.reserve,
    visibilityMs: claimMs(lemlist.timeoutMs),
    watchMs: 2 * sse.heartbeatMs,
    scheduleLimits: { longestAheadMs: longestAheadMs(intervals) },
    ...storeObserverOf(logger),
  })
  const accounts = createAccounts({ keys, config, store, logger })
  const account = accounts.get(DEFAULT_ACCOUNT)
  if (account === undefined) throw new Error('there is no account')
  const { reader, watch, starter, files } = account

  // The HTTP server with its streams and routes.
  const streams = createStreams({ ...sse, max: sse.maxStreams })
  const bodies = bodiesFor(config.fileUrlsBase)
  let stopped: Promise<void> | undefined
  const stopping = (): boolean => stopped !== undefined
  const server = createServer({
    logger,
    loopback: config.loopback,
    publicUrl: config.publicUrl,
    draining: stopping,
  })
  await documentRoutes(server, { ui: config.docs })
  statusRoute(server, { reader, watch, streams, intervals, bodies })
  eventsRoute(server, { watch, reader, streams, bodies, logger })
  manyEventsRoute(server, { watch, reader, streams, bodies, logger })
  await startRoute(server, { starter, publicUrl: config.publicUrl })
  fileRoute(server, { files })
  clientRoutes(server)
  if (config.docs) pageRoutes(server, { readyMade })
  healthRoutes(server, {
    storeHealthy: () => store.healthy(),
    storeMisconfigured: () => store.isMisconfigured?.() ?? false,
    stopping,
  })

  const letGo = async (): Promise<void> => {
    await accounts.close()
    await store.close()
  }
  return {
    server,
    listen: async () => {
      await store.ready?.()
      const url = await listen(server, config)
      accounts.start()
      return url
    },
    reload: async (next) => void (await accounts.reload(next)),
    close: () => {
      const { drainDelayMs } = config
      stopped ??= gracefulStop({ server, streams, accounts, drainDelayMs, letGo })
      return stopped
    },
  }
}
