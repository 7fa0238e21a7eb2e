// @ts-check

/**
 * The typed client of the gateway, without dependencies and without a build. client.d.ts documents
 * what it promises. The comments here say why the code is as it is.
 *
 * @import * as Api from './client.d.ts'
 */

const EVENT_STREAM = 'text/event-stream'
/** The longest wait before the next try, milliseconds, unless the gateway asks for a longer one. */
const MAX_BACK_OFF_MS = 30_000
/**
 * The shortest wait before the next try, milliseconds. If a gateway asked for less, its own clients
 * would overload it.
 */
const MIN_RETRY_MS = 10
/** How many times a start without an answer is sent again, with the same key. */
const START_RETRIES = 5
/** How long a `ticket` function may take, milliseconds. All requests that need a ticket wait for it. */
const TICKET_TIMEOUT_MS = 30_000
/** How long a ticket is used whose end the client cannot read, milliseconds. */
const TICKET_LIFE_MS = 300_000

/**
 * Whether trouble with this status may pass. A refusal (4xx) does not pass, except 408 (too slow)
 * and 429 (too often).
 *
 * @param {number} status
 */
const mayPass = (status) => status < 400 || status > 499 || [408, 429].includes(status)

/** The members of the RFC 9457 object are members of the error. */
export const GatewayProblem = /** @type {typeof Api.GatewayProblem} */ (
  /** @type {unknown} */ (
    class extends Error {
      /** @param {Api.ProblemMembers} problem */
      constructor(problem) {
        super(problem.detail)
        Object.assign(this, problem)
        this.name = 'GatewayProblem'
      }
    }
  )
)

/** @type {typeof Api.downloadUrl} */
export const downloadUrl = (options) => pathOf(options, options.exportId, 'file')

/** @type {typeof Api.downloadLink} */
export const downloadLink = async (options) => {
  const { ticket, signal } = options
  const url = downloadUrl(options)
  if (!ticket) return url
  try {
    return `${url}?ticket=${path(await orAbort(keeperOf(ticket).current(), signal))}`
  } catch (error) {
    throw asProblem(error, signal)
  }
}

/** @type {typeof Api.createTicket} */
export const createTicket = (options) => {
  const { baseUrl = '', exports, campaigns, scopes, ttl } = options
  const names = exports?.map(({ campaignId, exportId }) => `${campaignId}/${exportId}`)
  const body = JSON.stringify({ exports: names, campaigns, scopes, ttl })
  return json(options, `${baseUrl}/tickets`, 'POST', { 'content-type': 'application/json' }, body)
}

/** @type {typeof Api.getStatus} */
export const getStatus = (options) => json(options, pathOf(options, options.exportId, 'status'))

/** @type {typeof Api.startExport} */
export const startExport = async (options) => {
  // `crypto.randomUUID` is missing on pages that are served by plain HTTP.
  const random = crypto.getRandomValues(new Uint32Array(4)).join('-')
  const key = { 'idempotency-key': options.idempotencyKey ?? random }
  for (let failures = 0; ; ) {
    try {
      return await json(options, pathOf(options, 'start'), 'POST', key)
    } catch (error) {
      const { code } = asProblem(error, options.signal)
      // The start is asked for again when no answer came, or when the answer is that the first
      // request is still in progress. Any other answer counts.
      const lost = ['disconnected', 'idempotency-in-progress'].includes(code)
      if (!lost || failures === START_RETRIES) throw error
      await pause(backOff(500, failures++), options.signal)
    }
  }
}

/** @type {typeof Api.watchExport} */
export const watchExport = (options) =>
  iterator(options.signal, async function* (signal) {
    for await (const { event, data } of events(
      options,
      pathOf(options, options.exportId, 'events'),
      signal,
    )) {
      if (event === 'status') yield data
      if (event === 'problem') options.onProblem?.(new GatewayProblem(data))
      if (event === 'gone') throw new GatewayProblem(data)
    }
  })

/** @type {typeof Api.watchExports} */
export const watchExports = (options) =>
  iterator(options.signal, async function* (signal) {
    const query = options.exports.map((one) => `export=${path(one.campaignId, one.exportId)}`)
    const url = `${options.baseUrl ?? ''}/events?${query.join('&')}`
    for await (const { event: type, data } of events(options, url, signal)) {
      const { campaignId, exportId, body } = data
      if (type === 'status') yield { type, campaignId, exportId, body }
      else if (exportId) yield { type, campaignId, exportId, problem: new GatewayProblem(data) }
      // A problem that names no export is about the stream itself: the gateway has no room for it.
      else if (type === 'problem') options.onProblem?.(new GatewayProblem(data))
    }
  })

/** @param {string[]} parts */
const path = (...parts) => parts.map(encodeURIComponent).join('/')

/** @param {{ baseUrl?: string | undefined, campaignId: string }} options @param {string[]} rest */
const pathOf = ({ baseUrl = '', campaignId }, ...rest) =>
  `${baseUrl}/campaigns/${path(campaignId, 'export', ...rest)}`

/**
 * Makes an async generator whose `return` ends it at once. The `return` of a plain async generator
 * waits until the pending `next` is answered, and that takes minutes while nothing happens.
 *
 * @template T
 * @param {AbortSignal | undefined} signal
 * @param {(signal: AbortSignal) => AsyncGenerator<T, void, void>} run
 * @returns {AsyncGenerator<T, void, void>}
 */
const iterator = (signal, run) => {
  const stop = new AbortController()
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  const generator = (async function* () {
    try {
      either.throwIfAborted()
      yield* run(either)
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  })()
  const end = generator.return.bind(generator)
  generator.return = (value) => {
    stop.abort()
    return end(value)
  }
  return generator
}

/**
 * The events of a stream. Reconnects as often as needed. Returns after `end` or a 204, and throws
 * trouble that will not pass.
 *
 * @param {Api.WatchOptions} options
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<{ event: any, data: any }, void, void>}
 */
async function* events(options, url, signal) {
  const { onProblem, onOpen, silenceMs = 60_000 } = options
  const memory = { id: '', retryMs: 3000 }
  for (let failures = 0; ; failures++) {
    const connection = new AbortController()
    const drop = () => connection.abort()
    let minimumMs = 0
    /** @type {any} */
    let timer
    /**
     * Waits for the work, but drops the connection after `silenceMs`. A connection that went dead
     * reports no error, and the client would wait for it without an end.
     *
     * @template T
     * @param {Promise<T>} work
     * @returns {Promise<T>}
     */
    const soon = (work) =>
      new Promise((resolve, reject) => {
        timer = setTimeout(drop, silenceMs)
        connection.signal.onabort = reject
        work.finally(() => clearTimeout(timer)).then(resolve, reject)
      })
    signal.addEventListener('abort', drop)
    try {
      const own = { accept: EVENT_STREAM, ...(memory.id && { 'last-event-id': memory.id }) }
      // Without `no-store` a browser makes a second stream of the same URL wait for the first one.
      const init = /** @type {const} */ ({ signal: connection.signal, cache: 'no-store' })
      const response = await soon(ask(options, url, init, own))
      const { status, headers, body } = response
      if (status === 204) return
      minimumMs = Math.min(Number(headers.get('retry-after')) * 1000 || 0, MAX_BACK_OFF_MS)
      if (status !== 200 || !headers.get('content-type')?.startsWith(EVENT_STREAM)) {
        throw await soon(problemOf(response))
      }
      onOpen?.()
      const reader = /** @type {NonNullable<typeof body>} */ (body).getReader()
      const decoder = new TextDecoder()
      const parse = createParser(memory)
      for (;;) {
        const { done, value } = await soon(reader.read())
        if (done) throw new Error('cut')
        for (const { event, data } of parse(decoder.decode(value, { stream: true }))) {
          if (event === 'end') return
          yield { event, data: JSON.parse(data) }
          failures = 0
        }
      }
    } catch (error) {
      const trouble = asProblem(error, signal)
      if (!mayPass(trouble.status)) throw trouble
      onProblem?.(trouble)
    } finally {
      // This also closes the connection when the consumer ends the iteration early.
      drop()
      signal.removeEventListener('abort', drop)
    }
    await pause(Math.max(minimumMs, backOff(memory.retryMs, failures)), signal)
  }
}

/**
 * Makes the parser of one connection (WHATWG HTML, 9.2.6). The parser takes text and yields the
 * events in it.
 *
 * @param {{ id: string, retryMs: number }} memory what the next connection needs to know
 */
const createParser = (memory) => {
  let { id } = memory
  let rest = ''
  let event = ''
  /** @type {string[]} */
  let data = []
  let afterCr = false
  /** @param {string} text */
  return function* (text) {
    if (!text) return
    // A CR at the end of the last chunk has ended its line. An LF that follows belongs to that CR.
    const lines = (rest + (afterCr ? text.replace(/^\n/, '') : text)).split(/\r\n|\r|\n/)
    afterCr = text.endsWith('\r')
    rest = /** @type {string} */ (lines.pop())
    for (const line of lines) {
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
      if (field === 'event') event = value
      if (field === 'data') data.push(value)
      if (field === 'id' && !value.includes('\0')) id = value
      if (field === 'retry' && /^\d+$/.test(value)) {
        memory.retryMs = Math.max(Number(value), MIN_RETRY_MS)
      }
      if (line) continue
      memory.id = id
      if (data.length > 0) yield { event, data: data.join('\n') }
      event = ''
      data = []
    }
  }
}

/**
 * The wait before the next try, milliseconds. It is at least `ms`, grows with the failures, and is
 * random, so that clients do not come back at the same moment.
 *
 * @param {number} ms
 * @param {number} failures
 */
const backOff = (ms, failures) =>
  Math.min(ms * 2 ** failures, Math.max(ms, MAX_BACK_OFF_MS)) * (1 + Math.random() / 4)

/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', settle)
      if (signal?.aborted) reject(signal.reason)
      else resolve()
    }
    const timer = setTimeout(settle, ms)
    signal?.addEventListener('abort', settle)
    if (signal?.aborted) settle()
  })

/**
 * Waits for the work, but not after the signal is aborted.
 *
 * @template T
 * @param {Promise<T>} work
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
const orAbort = (work, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => reject(signal?.reason)
    work.finally(() => signal?.removeEventListener('abort', stop)).then(resolve, reject)
    signal?.addEventListener('abort', stop)
    if (signal?.aborted) stop()
  })

/**
 * When the ticket has to be replaced, epoch milliseconds. Whatever the ticket says, the gateway is
 * the judge of it: the client only wants to ask in time. Most tickets are as old as the answer that
 * brought them, so the client counts their life from `askedAt`, and a wrong clock does no harm. A
 * backend may hand out an older ticket. Then the clock tells, if it agrees that the ticket is valid.
 *
 * @param {string} ticket
 * @param {number} askedAt epoch milliseconds
 */
const renewalOf = (ticket, askedAt) => {
  let lifeMs = Number.NaN
  try {
    const [, payload = ''] = ticket.split('.')
    const { exp, iat } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    const leftMs = exp * 1000 - askedAt
    lifeMs = iat ? (exp - iat) * 1000 : leftMs
    if (leftMs > 0) lifeMs = Math.min(lifeMs, leftMs)
  } catch {}
  if (!(lifeMs > 0)) lifeMs = TICKET_LIFE_MS
  return askedAt + lifeMs - Math.min(lifeMs / 10, TICKET_TIMEOUT_MS)
}

/**
 * Calls a `ticket` function once.
 *
 * @param {Api.TicketSource} source
 * @returns {Promise<string>}
 */
const askFor = async (source) => {
  const over = new AbortController()
  const late = pause(TICKET_TIMEOUT_MS, over.signal)
  try {
    const ticket = await Promise.race([(async () => source())(), late])
    if (!ticket || typeof ticket !== 'string') throw new TypeError('no string in time')
    return ticket
  } catch (error) {
    if (error instanceof GatewayProblem) throw error
    throw problem('no-ticket', 0, 'The page has no ticket for the gateway.', error)
  } finally {
    over.abort()
  }
}

/**
 * Keeps the last ticket of a `ticket` function for all requests that use the function.
 *
 * @param {Api.TicketSource} source
 */
const createKeeper = (source) => {
  let kept = ''
  let renewAt = 0
  let refusals = 0
  let calmUntil = 0
  /** @type {Promise<string> | undefined} */
  let asking
  const ask = async () => {
    const askedAt = Date.now()
    try {
      kept = await askFor(source)
      renewAt = renewalOf(kept, askedAt)
      return kept
    } finally {
      asking = undefined
    }
  }
  const current = async () => {
    if (!asking && Date.now() < renewAt) return kept
    asking ??= ask()
    return asking
  }
  return {
    current,

    /**
     * The ticket to send in place of a refused one. Nothing when the replacement of a ticket was
     * refused a short while ago: the next replacement would most likely be refused as well.
     *
     * @param {string} refused
     */
    async replacement(refused) {
      // Another request was refused too. It has replaced the ticket, or is about to.
      if (asking || kept !== refused) return current()
      if (Date.now() < calmUntil) return ''
      calmUntil = Date.now() + backOff(1000, refusals++)
      renewAt = 0
      return current()
    },

    accepted() {
      refusals = 0
      calmUntil = 0
    },
  }
}

/** @type {WeakMap<Api.TicketSource, ReturnType<typeof createKeeper>>} */
const keepers = new WeakMap()

/** @param {Api.TicketSource} source */
const keeperOf = (source) => {
  const keeper = keepers.get(source) ?? createKeeper(source)
  keepers.set(source, keeper)
  return keeper
}

/**
 * @param {Api.RequestOptions} options
 * @param {string} url
 * @param {RequestInit} init
 * @param {Record<string, string>} own
 */
const ask = async (options, url, init, own) => {
  const { headers, fetch = globalThis.fetch, apiKey, account, ticket } = options
  const all = new Headers(typeof headers === 'function' ? await headers() : headers)
  const wanted = { ...own, 'x-api-key': apiKey, 'x-lemlist-account': account }
  for (const [name, value] of Object.entries(wanted)) if (value) all.set(name, value)
  const send = () => fetch(url, { ...init, headers: all })
  if (!ticket) return send()

  const keeper = keeperOf(ticket)
  const first = await keeper.current()
  all.set('authorization', `Bearer ${first}`)
  let response = await send()
  if (response.status === 401) {
    const second = await keeper.replacement(first)
    if (!second) return response
    // Nobody reads the first answer. Its connection is free for others when it is cancelled.
    response.body?.cancel().catch(() => {})
    all.set('authorization', `Bearer ${second}`)
    response = await send()
  }
  if (response.status !== 401) keeper.accepted()
  return response
}

/**
 * @param {Api.RequestOptions} options
 * @param {string} url
 * @param {string} [method]
 * @param {Record<string, string>} [own]
 * @param {string} [body]
 */
const json = async (options, url, method = 'GET', own = {}, body = undefined) => {
  const { signal } = options
  try {
    const init = { method, signal: signal ?? null, body: body ?? null }
    const response = await orAbort(ask(options, url, init, own), signal)
    if (!response.ok) throw await problemOf(response)
    return await response.json()
  } catch (error) {
    throw asProblem(error, signal)
  }
}

/**
 * The problem in an answer. When the answer does not come from the gateway, the problem says so.
 *
 * @param {Response} response
 */
const problemOf = async (response) => {
  const said = await response.json().catch(() => {})
  if (said?.code) return new GatewayProblem(said)
  return problem('unexpected-answer', response.status, 'Not an answer of the gateway.')
}

/** @param {string} code @param {number} status @param {string} detail @param {unknown} [cause] */
const problem = (code, status, detail, cause) =>
  new GatewayProblem({ code, title: detail, status, detail, retryable: mayPass(status), cause })

/** @param {any} error @param {AbortSignal} [signal] @returns {Api.GatewayProblem} */
const asProblem = (error, signal) => {
  signal?.throwIfAborted()
  if (error instanceof GatewayProblem) return error
  return problem('disconnected', 0, 'The gateway cannot be reached.', error)
}
