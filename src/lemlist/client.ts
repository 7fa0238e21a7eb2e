import { performance } from 'node:perf_hooks'
import { Pool } from 'undici'
import type { ExportRef } from '../exports/export.ts'
import type { Budget, Turn, Upstream } from '../exports/ports.ts'
import { Problem } from '../problems.ts'
import { type RawAnswer, toSnapshot } from './answers.ts'
import { isReset, toProblem } from './failures.ts'
import { retryAfterMs } from './retry-after.ts'
import { createWaitingLine } from './waiting-line.ts'

export interface LemlistOptions {
  /** One origin and a path, without a trailing slash. */
  readonly baseUrl: URL
  /** The API key as it is now; asked at every call, so that it can be changed while running. */
  readonly apiKey: () => string
  readonly account: string
  readonly budget: Budget
  /** Deadline of a whole call, milliseconds, from its slot to the last byte. */
  readonly timeoutMs: number
  readonly fileTtlMs: number
}

export interface Lemlist extends Upstream {
  /** Ends the waiting line and every socket. */
  close(): Promise<void>
}

/** At 8 calls a second and 10 s at most each, more are under way only when lemlist is nearly dead. */
const SOCKETS = 32
/** Real statuses are under 1 KiB. */
const MAX_BODY_BYTES = 16 * 1024
/** Below any server's own, so that a request hardly ever meets a socket that is being closed. */
const KEEP_ALIVE_MS = 4_000
const CONNECT_TIMEOUT_MS = 3_000
/** A moved address is followed within this time. */
const CLIENT_TTL_MS = 60_000
/** Waits after a 429 that names no time: 2, 4, 8 … 60 s, with full jitter. */
const FIRST_BACK_OFF_MS = 2_000
const LONGEST_BACK_OFF_MS = 60_000

/**
 * The client of one lemlist account: one origin, verified TLS, HTTP/1.1, no redirects, every call
 * through the waiting line.
 */
export const createLemlist = (options: LemlistOptions): Lemlist => {
  const { baseUrl, apiKey, account, budget, timeoutMs, fileTtlMs } = options
  const pool = new Pool(baseUrl.origin, {
    connections: SOCKETS,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    clientTtl: CLIENT_TTL_MS,
    // undici sees a deadline that passes during a handshake only after it.
    connect: { timeout: Math.min(CONNECT_TIMEOUT_MS, timeoutMs), rejectUnauthorized: true },
    // The deadline of the whole call is the only one: these two would only cut it in odd places.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const line = createWaitingLine({ take: () => budget.take(account), maxRunning: SOCKETS })
  let throttlesInARow = 0

  /** A budget that cannot be told loses nothing: the next 429 says it again. */
  const pause = (ms: number): void => {
    budget.pause(account, ms).catch(() => {})
  }

  const obey = ({ status, headers, receivedAt }: RawAnswer): void => {
    if (status !== 429 && status !== 503) {
      throttlesInARow = 0
      return
    }
    const asked = retryAfterMs(headers, receivedAt)
    if (asked !== undefined) pause(asked + Math.random() * 1_000)
    else if (status === 429) {
      const longest = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** throttlesInARow)
      pause(longest * Math.random())
    }
    throttlesInARow += 1
  }

  /** One call on the wire; the body is read to its end or to the cap. */
  const get = async (path: string): Promise<RawAnswer> => {
    const deadline = AbortSignal.timeout(timeoutMs)
    const { statusCode, headers, body } = await pool.request({
      method: 'GET',
      path: `${baseUrl.pathname.replace(/\/$/, '')}${path}`,
      headers: {
        authorization: `Basic ${Buffer.from(`:${apiKey()}`).toString('base64')}`,
        accept: 'application/json',
        'accept-encoding': 'identity',
        'user-agent': 'lemlist-export-gateway',
      },
      signal: deadline,
    })
    const chunks: Uint8Array[] = []
    let size = 0
    // Leaving the loop early destroys the body, and with it the socket: nothing past the cap is read.
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk)
      size += chunk.byteLength
      if (size > MAX_BODY_BYTES) break
    }
    const cut = size > MAX_BODY_BYTES
    return {
      status: statusCode,
      headers,
      body: Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES),
      cut,
      receivedAt: Date.now(),
    }
  }

  const status: Upstream['status'] = (ref: ExportRef, turn: Turn) => {
    let place = line.enter(turn)
    const attempt = async (mayRetry: boolean): Promise<RawAnswer> => {
      const release = await place.slot
      // An idle socket is used before a new one is opened.
      const reusesSocket = pool.stats.free > 0
      try {
        const raw = await get(`/campaigns/${ref.campaignId}/export/${ref.exportId}/status`)
        // Before its place is free: whoever is next must find the pause.
        obey(raw)
        return raw
      } catch (error) {
        if (!mayRetry || !reusesSocket || !isReset(error)) throw toProblem(error)
      } finally {
        release()
      }
      // lemlist closed a kept-alive socket just as it was used again: no answer was lost. The second
      // try stands in line and counts like any call.
      place = line.enter({ due: turn.due, giveUpAt: performance.now() + timeoutMs / 2 })
      return attempt(false)
    }
    const answer = attempt(true).then((raw) => toSnapshot(ref, raw, fileTtlMs))
    const left = () => {}
    return {
      answer,
      started: place.slot.then(left, left),
      isWaiting: () => place.isWaiting(),
      hurry: (sooner) => place.hurry(sooner),
    }
  }

  return {
    status,
    close: async () => {
      line.close()
      await pool.destroy(new Problem('upstream-unavailable', 'The gateway is stopping.'))
    },
  }
}
