import { type Dispatcher, Pool } from 'undici'
import { Problem } from '../problems.ts'
import type { RawAnswer } from './answers.ts'

export interface ConnectionOptions {
  /** One origin and a path, without a trailing slash. */
  readonly baseUrl: URL
  /** The API key as it is now; asked at every call, so that it can be changed while running. */
  readonly apiKey: () => string
  /** Deadline of a whole call, milliseconds, to the last byte; of a file, to the first. */
  readonly timeoutMs: number
  /** A file of which no byte came for so long has broken off, milliseconds. Default 30 s. */
  readonly fileIdleMs?: number
}

/** HTTP to one origin with one key. TLS is verified, HTTP/1.1 only, redirects are never followed. */
export interface Connection {
  /** One call; the body is read to its end or to the cap of 16 KiB. Rejects with undici's errors. */
  get(path: string): Promise<RawAnswer>
  /** Opens a body that may be long, on a pool of its own. */
  open(
    path: string,
    range: string | undefined,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData>
  /** Whether the next call, of that pool, is likely to use a socket that was used before. */
  reuses(pool: 'calls' | 'files'): boolean
  close(): Promise<void>
}

/** At 8 calls a second and 10 s at most each, more are under way only when lemlist is nearly dead. */
export const SOCKETS = 32
/** Downloads at once: apart, so that long ones never keep a status waiting. */
export const FILE_SOCKETS = 32
/** Real statuses are under 1 KiB. */
const MAX_BODY_BYTES = 16 * 1024
/** Below any server's own, so that a request hardly ever meets a socket that is being closed. */
const KEEP_ALIVE_MS = 4_000
const CONNECT_TIMEOUT_MS = 3_000
/** A moved address is followed within this time. */
const CLIENT_TTL_MS = 60_000
/** Between two bytes of a file. A slow caller's pause does not count. */
const FILE_IDLE_MS = 30_000

export const createConnection = (options: ConnectionOptions): Connection => {
  const { baseUrl, apiKey, timeoutMs, fileIdleMs = FILE_IDLE_MS } = options
  const shared = {
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    clientTtl: CLIENT_TTL_MS,
    // undici sees a deadline that passes during a handshake only after it.
    connect: { timeout: Math.min(CONNECT_TIMEOUT_MS, timeoutMs), rejectUnauthorized: true },
  }
  const calls = new Pool(baseUrl.origin, {
    ...shared,
    connections: SOCKETS,
    // The deadline of the whole call is the only one: these two would only cut it in odd places.
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
      const { statusCode, headers, body } = await calls.request({
        method: 'GET',
        path: pathOf(path),
        headers: headersOf('application/json'),
        signal: AbortSignal.timeout(timeoutMs),
      })
      const chunks: Uint8Array[] = []
      let size = 0
      // Leaving the loop early destroys the body, and with it the socket: nothing past the cap is read.
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        chunks.push(chunk)
        size += chunk.byteLength
        if (size > MAX_BODY_BYTES) break
      }
      return {
        status: statusCode,
        headers,
        body: Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES),
        cut: size > MAX_BODY_BYTES,
        receivedAt: Date.now(),
      }
    },
    open: (path, range, signal) =>
      files.request({
        method: 'GET',
        path: pathOf(path),
        headers: { ...headersOf('text/csv, */*;q=0.1'), ...(range !== undefined && { range }) },
        signal,
      }),
    // An idle socket is used before a new one is opened.
    reuses: (pool) => (pool === 'calls' ? calls : files).stats.free > 0,
    close: async () => {
      const stopping = new Problem('upstream-unavailable', 'The gateway is stopping.')
      await Promise.all([calls.destroy(stopping), files.destroy(stopping)])
    },
  }
}
