import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { createCache } from './exports/cache.ts'
import { DEFAULT_ACCOUNT, isPending } from './exports/export.ts'
import { createFiles } from './exports/files.ts'
import { createFollower } from './exports/follower.ts'
import { createHub } from './exports/hub.ts'
import { createLatest } from './exports/latest.ts'
import { createLooker } from './exports/looker.ts'
import { createReader } from './exports/reader.ts'
import { createStarter } from './exports/starter.ts'
import { createTracker } from './exports/tracker.ts'
import { createWatch } from './exports/watch.ts'
import { gatewayBodies, verbatimBodies } from './http/bodies.ts'
import { gracefulStop } from './http/graceful-stop.ts'
import { documentRoutes } from './http/openapi.ts'
import { clientRoutes } from './http/routes/client.ts'
import { eventsRoute } from './http/routes/events.ts'
import { fileRoute } from './http/routes/file.ts'
import { healthRoutes } from './http/routes/health.ts'
import { manyEventsRoute } from './http/routes/many-events.ts'
import { pageRoutes, type ReadyMadeExport } from './http/routes/page.ts'
import { startRoute } from './http/routes/start.ts'
import { statusRoute } from './http/routes/status.ts'
import { createServer } from './http/server.ts'
import { createStreams } from './http/streams.ts'
import { urlOf } from './http/url-of.ts'
import { createLemlist } from './lemlist/client.ts'
import { FILE_SOCKETS, SOCKETS } from './lemlist/connection.ts'
import { observerOf } from './observer.ts'
import { openStore } from './store/open.ts'

export interface App {
  readonly server: FastifyInstance
  /** Listens; returns the URL callers can use on this machine. */
  listen(): Promise<string>
  /** Lets requests finish, then lets go of everything. Idempotent. */
  close(): Promise<void>
}

export interface AppOptions {
  readonly config: Config
  readonly logger: Logger
  /** The lemlist key as it is now. */
  readonly apiKey?: () => string
  /** Exports that the live page offers; the sandbox has some. */
  readonly readyMade?: readonly ReadyMadeExport[]
}

/** The composition root: builds every object and registers every route, in order. */
export const createApp = async (options: AppOptions): Promise<App> => {
  const { config, logger } = options
  const { lemlist, fileTtlMs, exportTtlMs, poll: intervals, sse } = config
  const apiKey = options.apiKey ?? (() => lemlist.apiKey.reveal())
  const observer = observerOf(logger)

  const store = openStore(config.storeUrl, {
    limits: { calls: lemlist.calls, windowMs: lemlist.windowMs * ARRIVAL_SLACK },
    visibilityMs: lemlist.timeoutMs + VISIBILITY_SLACK_MS,
    onCorrupt: (movedTo) =>
      logger.error({ movedTo }, 'the store was corrupt: moved aside, a new one begins'),
    storeFailed: observer.storeFailed,
    prefix: config.storePrefix,
    reserve: lemlist.reserve,
    onEvicting: (policy) =>
      logger.warn({ policy }, 'Redis may drop what must be kept: set maxmemory-policy noeviction'),
    // Only ever called once everything below stands.
    onSwitch: (to) => {
      logger.warn(to === 'away' ? 'Redis is away: this replica stands in' : 'Redis is back')
      void watch.rejoin()
    },
    onResubscribe: () => void watch.renew(),
  })
  const { results, schedule, updates, budget } = store
  const upstream = createLemlist({
    baseUrl: lemlist.baseUrl,
    apiKey,
    account: DEFAULT_ACCOUNT,
    budget,
    timeoutMs: lemlist.timeoutMs,
    fileTtlMs,
  })

  const hub = createHub()
  const latest = createLatest()
  const cache = createCache({ results, latest, observer, fileTtlMs })
  const looker = createLooker({ upstream, cache, updates, observer })
  const follower = createFollower({
    schedule,
    results,
    updates,
    observer,
    intervals,
    isWatched: hub.isWatched,
    onDue: (dueAt) => tracker.onDue(dueAt),
    watchedForMs: 2 * sse.heartbeatMs,
    exportTtlMs,
    fileTtlMs,
  })
  const places = Math.min(SOCKETS, Math.max(1, Math.floor(lemlist.calls / PACED_QUARTERS)))
  const tracker = createTracker({
    schedule,
    looker,
    follower,
    observer,
    places,
    longestTurnMs: intervals.maxIntervalMs,
  })
  const patienceMs = lemlist.timeoutMs * PATIENCE
  const budgetPatienceMs = () => budget.patienceMs?.() ?? Number.POSITIVE_INFINITY
  const reader = createReader({ cache, looker, follower, patienceMs, budgetPatienceMs })
  const starter = createStarter({
    upstream,
    idempotency: store.idempotency,
    follower,
    observer,
    patienceMs,
    timeoutMs: lemlist.timeoutMs,
  })
  const bases = [lemlist.baseUrl.href.replace(/\/$/, ''), LEMLIST_FILES_BASE]
  const files = createFiles({
    reader,
    upstream,
    intervals,
    bases,
    patienceMs,
    maxOpen: FILE_SOCKETS,
  })
  const watch = createWatch({ hub, reader, cache, follower, results, observer, intervals })
  // The ring is closed here: whatever is observed, here or on another replica, reaches who watches here.
  updates.listen((ref, update) => {
    if (update.kind === 'status' && isPending(update.snapshot)) latest.set(ref, update.snapshot)
    hub.dispatch(ref, update)
  })

  const streams = createStreams({
    max: sse.maxStreams,
    heartbeatMs: sse.heartbeatMs,
    maxAgeMs: sse.maxAgeMs,
    drainMs: LONGEST_DRAIN_MS,
  })
  const { fileUrlsBase } = config
  const bodies = fileUrlsBase === undefined ? verbatimBodies : gatewayBodies(fileUrlsBase)
  const heartbeat = setInterval(() => void watch.renew(), sse.heartbeatMs)
  let stopping: Promise<void> | undefined
  const isStopping = (): boolean => stopping !== undefined

  const server = createServer({
    logger,
    loopback: config.loopback,
    publicHost: config.publicHost,
    draining: isStopping,
  })
  await documentRoutes(server, { ui: config.docs })
  statusRoute(server, { reader, watch, streams, intervals, bodies })
  eventsRoute(server, { watch, reader, streams, bodies, logger })
  manyEventsRoute(server, { watch, reader, streams, bodies, logger })
  startRoute(server, { starter })
  fileRoute(server, { files })
  clientRoutes(server)
  if (config.docs) pageRoutes(server, { readyMade: options.readyMade ?? [] })
  healthRoutes(server, { storeHealthy: () => store.healthy(), stopping: isStopping })

  const stop = async (): Promise<void> => {
    // Told here whatever fails: the phases after it are not to be skipped.
    await gracefulStop({
      server,
      streams,
      tracker,
      drainDelayMs: config.drainDelayMs,
      letGo: async () => {
        clearInterval(heartbeat)
        await upstream.close()
        await store.close()
      },
    })
  }
  return {
    server,
    listen: async () => {
      await store.ready?.()
      await server.listen({ host: config.host, port: config.port, backlog: BACKLOG })
      tracker.start()
      return urlOf(config.host, server.server.address())
    },
    close: () => {
      stopping ??= stop()
      return stopping
    },
  }
}

/** Of the deadline of a call: half, less what it takes to answer, so that "within half" is true. */
const PATIENCE = 0.5 * 0.85
/** What lemlist's links begin with, also where a proxy stands between it and us. */
const LEMLIST_FILES_BASE = 'https://api.lemlist.com/api'
/**
 * Calls that leave a window apart may arrive in one. A 40th more (50 ms of 2 s) keeps them apart at
 * lemlist too, and costs a 40th of the budget: with a replica that is cut off from Redis and spends the
 * reserve there is no other room for it.
 */
const ARRIVAL_SLACK = 1.025
/** The budget is paced by quarters of its window: more polls would only stand in line. */
const PACED_QUARTERS = 4
/** A claim is given up for dead when its call must be over, and a little later. */
const VISIBILITY_SLACK_MS = 5_000
/** The rest of the shutdown time-out is for the load balancer and for requests under way. */
const LONGEST_DRAIN_MS = 10_000
/** Connections that wait for accept(2) when thousands of clients reconnect at once. */
const BACKLOG = 4_096
