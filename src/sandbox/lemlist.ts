import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createAnswers } from './answers.ts'
import { type Call, type CallFilter, createCallLog } from './call-log.ts'
import { keyIn } from './credentials.ts'
import { deliver } from './delivery.ts'
import { createExportBook, type ExportScript } from './export-book.ts'
import { createRateWindows, type RateLimit, rateHeaders } from './rate-window.ts'
import { tooManyRequests } from './replies.ts'
import { readRequest } from './requests.ts'
import {
  createScripts,
  literalReply,
  type ScriptedAnswer,
  type ScriptMatch,
} from './scripted-answers.ts'

/**
 * An emulator of lemlist's export API, for trying the gateway out, for tests and for benchmarks. It
 * follows lemlist's documentation and what others have observed on the wire. It imports nothing of
 * the gateway. It is no proof of how lemlist really behaves.
 */

export interface LemlistOptions {
  /** Keys that work. Each belongs to its own team. Default `sandbox-key`. */
  readonly apiKeys?: readonly string[]
  /** Keys that are answered with 403, because their user is blocked. */
  readonly blockedKeys?: readonly string[]
  /** Keys that are answered with 404, because no user has them. */
  readonly userlessKeys?: readonly string[]
  /**
   * How many times faster than in reality the 2 h, the 24 h and the exports pass. More than 0,
   * default 1.
   */
  readonly timeScale?: number
  /** Default: 20 calls in 2000 ms. `timeScale` does not change it. */
  readonly rateLimit?: RateLimit
  /** Exports that the emulator knows from the start. */
  readonly exports?: readonly ExportScript[]
  /** How the exports go that callers start. Default: done after 8 s. */
  readonly started?: Omit<ExportScript, 'campaignId' | 'exportId' | 'startsAt'>
  /** Whether a file requires the key. It is not known whether lemlist does. Default true. */
  readonly fileNeedsKey?: boolean
  /**
   * After this time an idle connection is closed without an announcement. Real milliseconds,
   * default 65000.
   */
  readonly keepAliveTimeoutMs?: number
  /** Returns the time, epoch milliseconds. Default `Date.now`. */
  readonly now?: () => number
}

export interface Lemlist {
  /** Listens on 127.0.0.1 and resolves to the base URL. Works again after a `close`. */
  listen(port?: number): Promise<string>
  /** Closes the port and all connections at once. */
  close(): Promise<void>
  /** The last 100000 requests, in the order of arrival. New ones are added to this very array. */
  readonly calls: readonly Call[]
  clearCalls(): void
  /** Resolves when `count` calls that pass the filter have arrived since the last `clearCalls`. */
  waitForCalls(count: number, filter?: CallFilter): Promise<void>
  add(script?: ExportScript): { campaignId: string; exportId: string }
  /** Adds a campaign without exports, so that exports of it can be started. */
  addCampaign(campaignId: string, campaignName?: string, apiKey?: string): void
  script(match: ScriptMatch, answer: ScriptedAnswer): void
  clearScripts(): void
  /** Ends an export now. */
  finish(exportId: string, state?: 'done' | 'error'): void
  /** Holds a pending export at this progress until it ends. */
  progress(exportId: string, progress: number, total: number): void
  /** Makes the export unknown. */
  forget(exportId: string): void
  /** Closes the connections that no request is using. */
  closeIdle(): void
}

const LOG_CAPACITY = 100_000
const HOST = '127.0.0.1'

export const createLemlist = (options: LemlistOptions = {}): Lemlist => {
  const { timeScale = 1, now = Date.now, fileNeedsKey = true } = options
  const keys = {
    accepted: options.apiKeys ?? ['sandbox-key'],
    blocked: options.blockedKeys ?? [],
    userless: options.userlessKeys ?? [],
  }
  const rates = createRateWindows(options.rateLimit ?? { calls: 20, windowMs: 2000 }, now)
  const book = createExportBook({
    keys: keys.accepted,
    timeScale,
    started: { durationMs: 8000, ...options.started },
    now,
  })
  const scripts = createScripts()
  const log = createCallLog(LOG_CAPACITY)
  let baseUrl = ''
  const answer = createAnswers({ book, keys, fileNeedsKey, baseUrl: () => baseUrl })
  let connections = 0
  const numbers = new WeakMap<object, number>()

  for (const script of options.exports ?? []) book.add(script)

  const handle = async (req: IncomingMessage, res: ServerResponse) => {
    const { authorization, range } = req.headers
    const request = readRequest(req.method ?? '', req.url ?? '')
    const connection = numbers.get(req.socket) ?? 0
    const call: Call = { ...request, at: performance.now(), authorization, status: 0, connection }
    log.record(call)
    req.resume()
    const key = keyIn(authorization)
    const admission = rates.take(key)
    const scripted = scripts.next(request) ?? {}
    const real = () => {
      const { status, headers, body } = admission.admitted
        ? answer({ ...request, key, range })
        : tooManyRequests
      const all = { ...rateHeaders(admission), ...headers, ...scripted.headers }
      return { status, headers: all, body }
    }
    const reply = literalReply(scripted) ?? real()
    await deliver(res, reply, scripted, () => {
      call.status = reply.status
    })
  }

  const server = createServer((req, res) => {
    handle(req, res).catch((error: unknown) => {
      if (res.destroyed || res.headersSent) return res.destroy()
      // A scripted answer that cannot be sent is a mistake of its test. The test should fail, not
      // hang.
      res.writeHead(500, { 'Content-Type': 'text/plain' }).end(`sandbox: ${error}`)
    })
  })
  server.on('connection', (socket) => {
    connections += 1
    numbers.set(socket, connections)
  })
  server.keepAliveTimeout = options.keepAliveTimeoutMs ?? 65_000
  // By default Node waits a second longer than it says. A test that asks for 50 ms means 50 ms.
  server.keepAliveTimeoutBuffer = 0

  return {
    listen(port = 0) {
      return new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, HOST, () => {
          server.off('error', reject)
          const address = server.address()
          const bound = typeof address === 'object' && address !== null ? address.port : port
          baseUrl = `http://${HOST}:${bound}/api`
          resolve(baseUrl)
        })
      })
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
    calls: log.calls,
    clearCalls: log.clear,
    waitForCalls: (count, filter = () => true) => log.waitFor(count, filter),
    add: (script = {}) => book.add(script),
    addCampaign: (campaignId, campaignName = 'Sandbox campaign', apiKey) =>
      void book.addCampaign(campaignId, campaignName, apiKey),
    script: scripts.add,
    clearScripts: scripts.clear,
    finish: (exportId, state = 'done') => book.change(exportId, (at) => ({ ended: { at, state } })),
    progress: (exportId, progress, total) =>
      book.change(exportId, (at) => ({ pinned: { at, progress, total } })),
    forget: book.forget,
    closeIdle: () => server.closeIdleConnections(),
  }
}
