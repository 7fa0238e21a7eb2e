import { type Dispatcher, Pool } from 'undici'
import { Problem } from '../problems.ts'
import type { RawAnswer } from './answers.ts'
import { request } from './departure.ts'
import { createTunnel, type ProxyWay } from './tunnel.ts'

export interface ConnectionOptions {
  /** lemlist's base URL: one origin and a path, without a trailing slash. */
  readonly baseUrl: URL
  /**
   * Returns the current API key. Called for every request, so that the key can change at run time.
   */
  readonly apiKey: () => string
  /**
   * Deadline of a call, milliseconds: until the last byte of its answer. For a file it is the
   * deadline until the headers have come.
   */
  readonly timeoutMs: number
  /**
   * A file of which no byte comes for this long counts as broken off, milliseconds. Default 30 s.
   */
  readonly fileIdleMs?: number
  /** The proxy on the way to lemlist. Default: none. */
  readonly proxy?: ProxyWay | undefined
}

/** HTTP/1.1 to one origin with one key. TLS is always verified. Redirects are never followed. */
export interface Connection {
  /**
   * Makes one call and reads the body to its end or to the cap of 16 KiB. Rejects with undici's
   * errors, or with `NotSent` when no part of the call has left.
   */
  get(path: string): Promise<RawAnswer>
  /** Opens a file, whose body may be long. Files have a pool of sockets of their own. */
  open(
    path: string,
    range: string | undefined,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData>
  /** Whether the next call of that pool is likely to use a socket that was used before. */
  reuses(pool: 'calls' | 'files'): boolean
  close(): Promise<void>
}

/**
 * Calls to lemlist at once. At 8 calls a second that take at most 10 s each, more than this are
 * under way only when lemlist hardly answers any more.
 */
export const SOCKETS = 32
/** Downloads at once. They have their own pool, so that long downloads never delay a status. */
export const FILE_SOCKETS = 32
/** The cap on the body of a status. Real ones are smaller than 1 KiB. */
const MAX_BODY_BYTES = 16 * 1024
/**
 * The gateway closes an idle socket after this time, milliseconds. That is sooner than any server
 * does, so a call hardly ever uses a socket that lemlist is just closing.
 */
const KEEP_ALIVE_MS = 4_000
const CONNECT_TIMEOUT_MS = 3_000
/**
 * When lemlist gets another address, the gateway uses that address within this time, milliseconds.
 */
const CLIENT_TTL_MS = 60_000
/**
 * The longest time between two bytes of a file, milliseconds. A pause of the caller does not count.
 */
const FILE_IDLE_MS = 30_000

export const createConnection = (options: ConnectionOptions): Connection => {
  const { baseUrl, apiKey, timeoutMs, fileIdleMs = FILE_IDLE_MS, proxy } = options
  // undici notices that the deadline of a call has passed only when the handshake is over. So the
  // handshake itself must not last longer than the deadline.
  const connectMs = Math.min(CONNECT_TIMEOUT_MS, timeoutMs)
  const shared = {
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    clientTtl: CLIENT_TTL_MS,
    connect:
      proxy === undefined
        ? { timeout: connectMs, rejectUnauthorized: true }
        : createTunnel(proxy, connectMs),
  }
  const calls = new Pool(baseUrl.origin, {
    ...shared,
    connections: SOCKETS,
    // `AbortSignal.timeout` below is the deadline of the whole call. These two time-outs of undici
    // are off, because each of them measures only a part of a call.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const files = new Pool(baseUrl.origin, {
    ...shared,
    connections: FILE_SOCKETS,
    headersTimeout: timeoutMs,
    bodyTimeout: fileIdleMs,
  })
  const pathOf = (path: string): string => `${baseUrl.pathname.replace(/\/$/, '')}${path}`
  const headersOf = (accept: string) => ({
    authorization: `Basic ${Buffer.from(`:${apiKey()}`).toString('base64')}`,
    accept,
    'accept-encoding': 'identity',
    'user-agent': 'lemlist-export-gateway',
  })

  return {
    get: async (path) => {
      const askedAt = Date.now()
      const { statusCode, headers, body } = await request(calls, {
        method: 'GET',
        path: pathOf(path),
        headers: headersOf('application/json'),
        signal: AbortSignal.timeout(timeoutMs),
      })
      const chunks: Uint8Array[] = []
      let size = 0
      // Leaving the loop early destroys the body and its socket. So nothing beyond the cap is read.
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        chunks.push(chunk)
        size += chunk.byteLength
        if (size > MAX_BODY_BYTES) break
      }
      const receivedAt = Date.now()
      return {
        status: statusCode,
        headers,
        body: Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES),
        cut: size > MAX_BODY_BYTES,
        // After the clock was set back during the call.
        askedAt: Math.min(askedAt, receivedAt),
        receivedAt,
      }
    },
    open: (path, range, signal) =>
      request(files, {
        method: 'GET',
        path: pathOf(path),
        headers: { ...headersOf('text/csv, */*;q=0.1'), ...(range !== undefined && { range }) },
        signal,
      }),
    // undici uses an idle socket before it opens a new one.
    reuses: (pool) => (pool === 'calls' ? calls : files).stats.free > 0,
    close: async () => {
      const stopping = new Problem('upstream-unavailable', 'The gateway is stopping.')
      await Promise.all([calls.destroy(stopping), files.destroy(stopping)])
    },
  }
}
