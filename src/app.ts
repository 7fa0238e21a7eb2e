import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import { createAccess } from './access/access.ts'
import { createKeyFetch } from './access/key-fetch.ts'
import { NO_CALLERS } from './access/registry.ts'
import { createAccounts } from './accounts.ts'
import type { Config } from './config/config.ts'
import { longestAheadMs } from './exports/following/poll-policy.ts'
import { authenticateCallers } from './http/authenticate.ts'
import { limitConnections, mostConnections } from './http/connection-limit.ts'
import { createEntry } from './http/entry.ts'
import { createStreams } from './http/events/streams.ts'
import { gracefulStop } from './http/graceful-stop.ts'
import { listen } from './http/listening.ts'
import { documentRoutes, version } from './http/openapi/document.ts'
import { soundIdsUsedPart } from './http/openapi/sound-ids.ts'
import { campaignEventsRoute } from './http/routes/campaign-events.ts'
import { campaignExportsRoute } from './http/routes/campaign-exports.ts'
import { clientRoutes } from './http/routes/client.ts'
import { eventsRoute } from './http/routes/events.ts'
import { fileRoute } from './http/routes/file.ts'
import { healthRoutes } from './http/routes/health.ts'
import { manyEventsRoute } from './http/routes/many-events.ts'
import { pageRoutes, type ReadyMadeExport } from './http/routes/page.ts'
import { startRoute } from './http/routes/start.ts'
import { statusRoute } from './http/routes/status.ts'
import { ticketsRoute } from './http/routes/tickets.ts'
import { createServer } from './http/server.ts'
import { bodiesFor } from './http/status/bodies.ts'
import { budgetLimits, claimMs } from './lemlist/limits.ts'
import { createFollowedPages } from './ops/followed.ts'
import { healthPages } from './ops/health.ts'
import { createOpsServer } from './ops/server.ts'
import { readSources, type Sources } from './sources.ts'
import { openStore } from './store/open.ts'
import { loggedCallersUsedPart } from './telemetry/access-line.ts'
import { createHealth } from './telemetry/health.ts'
import type { Logger } from './telemetry/log.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { pressureObserverOf, storeObserverOf } from './telemetry/observer.ts'
import { createPressure, type Pressure, type Shed } from './telemetry/pressure.ts'
import type { Spans } from './telemetry/spans.ts'

export interface App {
  readonly server: FastifyInstance
  /** The port of the metrics, once it is open. */
  opsPort(): number | undefined
  /** Opens the ports. Resolves to the URL by which callers on this machine reach the gateway. */
  listen(): Promise<string>
  /**
   * Uses these accounts, keys and callers from now on.
   *
   * @returns what changed, by name
   */
  reload(sources: Sources): Promise<readonly string[]>
  /** Lets requests finish, then closes the server, the lemlist client and the store. Idempotent. */
  close(): Promise<void>
}

export interface AppOptions {
  readonly config: Config
  readonly logger: Logger
  /** Exports that the live page offers to follow. Only the sandbox sets them. */
  readonly readyMade?: readonly ReadyMadeExport[]
  /** How many log lines standard output has not taken since the start. Default: none. */
  readonly lostLines?: () => number
  /** Which part of the room for lines that wait for standard output is used. Default: 0. */
  readonly logUsedPart?: () => number
  /** Called with how many streams are open, whenever one opens or is over. */
  readonly onStreams?: ((open: number) => void) | undefined
  /** Says what is turned away now. Default: judges the load of this process. */
  readonly pressure?: Pressure | undefined
}

/** The composition root: builds each object from those above it, then registers all routes. */
export const createApp = async (options: AppOptions): Promise<App> => {
  const { config, logger, readyMade = [] } = options
  const { lemlist, poll: intervals, sse } = config
  const sources = readSources(config)
  const metrics = config.opsPort === undefined ? undefined : await loadMetrics()
  const spans = await loadTraces(config.traces, logger)

  const pressure = options.pressure ?? createPressure({ onChange: pressureObserverOf(logger) })
  const sheds = (kind: Shed): boolean => {
    const isShed = pressure.sheds(kind)
    if (isShed) metrics?.shed(kind)
    return isShed
  }

  // The store, and the accounts with their clients of lemlist and the domain objects that use both.
  const store = await openStore(config.storeUrl.reveal(), {
    prefix: config.storePrefix,
    limits: budgetLimits(lemlist),
    reserve: lemlist.reserve,
    visibilityMs: claimMs(lemlist.timeoutMs),
    watchMs: 2 * sse.heartbeatMs,
    scheduleLimits: { longestAheadMs: longestAheadMs(intervals) },
    ...storeObserverOf(logger, metrics),
    bounds: metrics?.bounds,
  })
  const mayLook = (): boolean => !sheds('read')
  const accounts = createAccounts({
    ...{ keys: sources.keys, config, store, logger, metrics, spans, mayLook },
  })
  const { auth, jwt, callerRateLimit } = config.access
  const access = createAccess({
    ...{ auth, jwt, file: sources.access, ticketSecret: sources.ticketSecret },
    accounts: accounts.names,
    fetch: createKeyFetch(
      jwt?.proxy && { url: jwt.proxy.url, authorization: jwt.proxy.authorization?.reveal() },
    ),
    onTrouble: (error) => logger.warn({ err: error }, 'the keys of tokens could not be fetched'),
    bounds: metrics?.bounds,
  })

  // The HTTP server with its streams and routes.
  const streams = createStreams({
    ...sse,
    max: sse.maxStreams,
    maxPerCaller: sse.maxStreamsPerCaller,
    isOverloaded: () => sheds('stream'),
    onSize: options.onStreams,
  })
  const bodies = bodiesFor(config.fileUrlsBase)
  let stopped: Promise<void> | undefined
  const stopping = (): boolean => stopped !== undefined
  const { corsOrigins } = config.access
  const server = createServer({
    logger,
    loopback: config.loopback,
    publicUrl: config.publicUrl,
    draining: stopping,
    corsOrigins,
    countRequest: metrics?.request,
    spans,
  })
  const connections = promisify(server.server.getConnections.bind(server.server))
  const most = mostConnections(sse.maxStreams)
  limitConnections(server.server, most, logger)
  authenticateCallers(server, {
    authenticator: access.authenticator,
    isRequired: auth.size > 0,
    callerRateLimit,
    bounds: metrics?.bounds,
  })
  const entry = createEntry(accounts)
  await documentRoutes(server, { ui: config.docs })
  const varies = () => auth.size > 0 || accounts.names().length > 1
  statusRoute(server, {
    ...{ entry, streams, intervals, bodies, varies },
    countRead: metrics?.statusRead,
    bounds: metrics?.bounds,
    isOverloaded: () => pressure.level === 'overloaded',
  })
  eventsRoute(server, { entry, streams, bodies, logger, meter: metrics })
  manyEventsRoute(server, { entry, streams, bodies, logger, meter: metrics })
  campaignEventsRoute(server, { entry, streams, bodies, logger, meter: metrics })
  campaignExportsRoute(server, { entry, bodies })
  await startRoute(server, { entry, publicUrl: config.publicUrl, corsOrigins })
  fileRoute(server, { entry })
  await ticketsRoute(server, { entry, tickets: access.tickets })
  clientRoutes(server)
  if (config.docs) pageRoutes(server, { readyMade })
  const health = createHealth({
    storeHealthy: () => store.healthy(),
    storeMisconfigured: () => store.isMisconfigured?.() ?? false,
    stopping,
  })
  healthRoutes(server, health)

  metrics?.bounds('streams', () => streams.size() / sse.maxStreams)
  metrics?.bounds('connections', async () => (await connections()) / most)
  metrics?.bounds('log', options.logUsedPart ?? (() => 0))
  metrics?.bounds('sound-ids', soundIdsUsedPart)
  metrics?.bounds('logged-callers', loggedCallersUsedPart)
  metrics?.observe({
    streams: streams.size,
    connections,
    accounts: () =>
      accounts
        .waiting()
        .map((one) => ({ ...one, tracked: () => store.schedule(one.name).count() })),
    isDegraded: async () => !(await store.healthy()),
    lostLines: options.lostLines ?? (() => 0),
  })
  const { json, html } = createFollowedPages(accounts.followed)
  const ops =
    metrics &&
    createOpsServer({ '/metrics': metrics, '/exports': json, '/': html, ...healthPages(health) })

  const letGo = async (): Promise<void> => {
    pressure.close()
    await ops?.close()
    await spans?.close()
    await accounts.close()
    await store.close()
  }
  let opsPort: number | undefined
  return {
    server,
    opsPort: () => opsPort,
    listen: async () => {
      await store.ready?.()
      if (config.opsPort !== undefined) {
        opsPort = await ops?.listen({ host: config.host, port: config.opsPort })
      }
      const url = await listen(server, config)
      accounts.start()
      return url
    },
    reload: async (next) => {
      const { changes, gone, closed } = accounts.reload(next.keys)
      const callers = access.reload(next.access ?? NO_CALLERS, next.ticketSecret)
      for (const name of gone) streams.cutAccount(name)
      await closed
      return [...changes, ...callers]
    },
    close: () => {
      const { drainDelayMs } = config
      stopped ??= gracefulStop({ server, streams, accounts, drainDelayMs, letGo })
      return stopped
    },
  }
}

/** Whoever has no metrics does not load their library. */
const loadMetrics = async (): Promise<Metrics> => {
  const { createMetrics } = await import('./telemetry/metrics.ts')
  return createMetrics(version())
}

const loadTraces = async (traces: Config['traces'], logger: Logger): Promise<Spans | undefined> => {
  if (traces === undefined) return undefined
  const { createTraces } = await import('./telemetry/traces.ts')
  const headers = Object.entries(traces.headers).map(([name, value]) => [name, value.reveal()])
  return createTraces({
    ...traces,
    headers: Object.fromEntries(headers),
    version: version(),
    onTrouble: (error) => logger.warn({ err: error }, 'traces could not be sent'),
  })
}
