import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { createCache } from './exports/cache.ts'
import { DEFAULT_ACCOUNT } from './exports/export.ts'
import { createLatest } from './exports/latest.ts'
import type { Observer } from './exports/ports.ts'
import { createReader } from './exports/reader.ts'
import { documentRoutes } from './http/openapi.ts'
import { healthRoutes } from './http/routes/health.ts'
import { statusRoute } from './http/routes/status.ts'
import { createServer } from './http/server.ts'
import { createLemlist } from './lemlist/client.ts'
import { openStore } from './store/open.ts'

export interface App {
  readonly server: FastifyInstance
  /** Listens; returns the URL callers can use on this machine. */
  listen(): Promise<string>
  /** Lets requests finish, then lets go of everything. Idempotent. */
  close(): Promise<void>
}

interface AppOptions {
  readonly config: Config
  readonly logger: Logger
  /** The lemlist key as it is now. */
  readonly apiKey?: () => string
}

/** The composition root: builds every object and registers every route, in order. */
export const createApp = async (options: AppOptions): Promise<App> => {
  const { config, logger } = options
  const { lemlist, fileTtlMs, poll } = config
  const apiKey = options.apiKey ?? (() => lemlist.apiKey.reveal())

  const store = openStore(config.storeUrl, {
    limits: { calls: lemlist.calls, windowMs: lemlist.windowMs },
    onCorrupt: (movedTo) =>
      logger.error({ movedTo }, 'the store was corrupt: moved aside, a new one begins'),
  })
  const upstream = createLemlist({
    baseUrl: lemlist.baseUrl,
    apiKey,
    account: DEFAULT_ACCOUNT,
    budget: store.budget,
    timeoutMs: lemlist.timeoutMs,
    fileTtlMs,
  })
  const cache = createCache({
    results: store.results,
    latest: createLatest(),
    observer: observerOf(logger),
    fileTtlMs,
  })
  const reader = createReader({ upstream, cache, patienceMs: lemlist.timeoutMs * PATIENCE })

  let stopping: Promise<void> | undefined
  const server = createServer({ logger, loopback: config.loopback })
  await documentRoutes(server, { ui: config.docs })
  statusRoute(server, { reader, intervals: poll })
  healthRoutes(server, {
    storeHealthy: () => store.healthy(),
    stopping: () => stopping !== undefined,
  })

  const stop = async (): Promise<void> => {
    await server.close()
    await upstream.close()
    await store.close()
  }
  return {
    server,
    listen: async () => {
      await server.listen({ host: config.host, port: config.port, backlog: BACKLOG })
      return urlOf(config.host, server.server.address())
    },
    close: () => {
      stopping ??= stop()
      return stopping
    },
  }
}

/** Of the deadline of a call: half, less what it takes to answer, so that "within half" is true. */
const PATIENCE = 0.5 * 0.95
/** Connections that wait for accept(2) when thousands of clients reconnect at once. */
const BACKLOG = 4_096

const observerOf = (logger: Logger): Observer => ({
  drift: (kind) => logger.warn({ kind }, 'lemlist said something that it has not documented'),
  storeFailed: (operation, error) => logger.error({ operation, err: error }, 'the store failed'),
})

const urlOf = (host: string, address: AddressInfo | string | null): string => {
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${port}`
}
