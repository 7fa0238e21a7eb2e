// @ts-check

/**
 * The typed client of the gateway, without dependencies and without a build. client.d.ts documents
 * what it promises. The comments here say why the code is as it is.
 *
 * @import * as Api from './client.d.ts'
 */

export {
  createTicket,
  downloadLink,
  downloadUrl,
  GatewayProblem,
  getStatus,
  listExports,
  startExport,
  watchCampaign,
  watchExport,
  watchExports,
}

const EVENT_STREAM = 'text/event-stream'
/** The longest wait before the next try, milliseconds, whatever the gateway asks for. */
const MAX_WAIT_MS = 30_000
/**
 * The shortest wait before the next try, milliseconds. If a gateway asked for less, its own clients
 * would overload it.
 */
const MIN_WAIT_MS = 10
/** This long, milliseconds, is never. Timers are for less: one that is set for more rings at once. */
const NEVER_MS = 2 ** 31
/** How many times a start without an answer is sent again, with the same key. */
const START_RETRIES = 5
/** How long a request or a `ticket` function may take, milliseconds, unless the caller says. */
const TIMEOUT_MS = 30_000
/** How long a ticket is used whose end the client cannot read, milliseconds. */
const TICKET_LIFE_MS = 300_000

/** The members of the RFC 9457 object are members of the error. */
const GatewayProblem = /** @type {typeof Api.GatewayProblem} */ (
  /** @type {unknown} */ (
    class extends Error {
      /** @override */
      name = 'GatewayProblem'
      /** @param {Api.ProblemMembers} problem */
      constructor(problem) {
        super(problem.detail)
        Object.assign(this, problem)
      }
    }
  )
)

/** @type {typeof Api.downloadUrl} */
const downloadUrl = (options) => pathOf(options, options.exportId, 'file')

/** @type {typeof Api.downloadLink} */
const downloadLink = async (options) => {
  const { ticket, signal } = options
  const url = downloadUrl(options)
  if (!ticket) return url
  return `${url}?ticket=${path(await during(signal, NEVER_MS, keeperOf(ticket).current))}`
}

/** @type {typeof Api.createTicket} */
const createTicket = (options) => {
  const { baseUrl = '', exports, campaigns, scopes, ttl } = options
  return json(options, `${baseUrl}/tickets`, 'ticket', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ exports: exports?.map(nameOf), campaigns, scopes, ttl }),
  })
}

/** @type {typeof Api.getStatus} */
const getStatus = (options) => json(options, pathOf(options, options.exportId, 'status'), 'status')

/** @type {typeof Api.listExports} */
const listExports = (options) => {
  const { limit } = options
  const query = limit === undefined ? '' : `?limit=${limit}`
  return json(options, `${campaignOf(options)}/exports${query}`, 'exports')
}

/** @type {typeof Api.startExport} */
const startExport = async (options) => {
  // `crypto.randomUUID` is missing on pages that are served by plain HTTP.
  const random = crypto.getRandomValues(new Uint32Array(4)).join('-')
  const headers = { 'idempotency-key': options.idempotencyKey ?? random }
  for (let failures = 0; ; ) {
    try {
      return await json(options, pathOf(options, 'start'), 'id', {
        method: 'POST',
        headers,
      })
    } catch (error) {
      const { code } = /** @type {Api.GatewayProblem} */ (error)
      // The start is asked for again when no answer of the gateway came, or when the answer is that
      // the first request is still in progress. Any other answer counts.
      const isLost = ['disconnected', 'unexpected-answer', 'idempotency-in-progress'].includes(code)
      if (!isLost || failures === START_RETRIES) throw error
      await pause(backOff(500, failures++), options.signal)
    }
  }
}

/** @type {typeof Api.watchExport} */
const watchExport = (options) =>
  iterator(options.signal, async function* (signal) {
    const url = pathOf(options, options.exportId, 'events')
    for await (const { type, data } of events(options, url, signal)) {
      if (type === 'gone') throw data
      if (type === 'status') yield data
      else options.onProblem?.(data)
    }
  })

/** @type {typeof Api.watchExports} */
const watchExports = (options) => {
  const query = options.exports.map((ref) => `export=${nameOf(ref)}`)
  return watchMany(options, `${options.baseUrl ?? ''}/events?${query.join('&')}`)
}

/** @type {typeof Api.watchCampaign} */
const watchCampaign = (options) => watchMany(options, `${campaignOf(options)}/events`)

/**
 * Watches a stream whose events name their exports.
 *
 * @param {Api.WatchOptions} options
 * @param {string} url
 * @returns {AsyncGenerator<Api.ExportEvent, void, void>}
 */
const watchMany = (options, url) =>
  iterator(options.signal, async function* (signal) {
    for await (const { type, data } of events(options, url, signal)) {
      const { campaignId, exportId, body } = data
      if (type === 'status') yield { type, campaignId, exportId, body }
      else if (exportId) yield { type, campaignId, exportId, problem: data }
      // A problem that names no export is about the stream itself: the gateway has no room for it.
      else options.onProblem?.(data)
    }
  })

/** @param {string[]} parts */
const path = (...parts) => parts.map(encodeURIComponent).join('/')

/** @param {Api.ExportRef} ref */
const nameOf = ({ campaignId, exportId }) => path(campaignId, exportId)

/** @param {{ baseUrl?: string | undefined, campaignId: string }} options */
const campaignOf = ({ baseUrl = '', campaignId }) => `${baseUrl}/campaigns/${path(campaignId)}`

/** @param {{ baseUrl?: string | undefined, campaignId: string }} options @param {string[]} rest */
const pathOf = (options, ...rest) => `${campaignOf(options)}/${path('export', ...rest)}`

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
  const generator = (async function* () {
    try {
      yield* run(AbortSignal.any([stop.signal, signal ?? stop.signal]))
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
 * Begins an exchange with the gateway, which is over when the signal aborts. Throws the reason of a
 * signal that has aborted before, and a RangeError for times that are none.
 *
 * @param {AbortSignal | undefined} signal
 * @param {number[]} times milliseconds
 */
const open = (signal, ...times) => {
  if (!times.every((ms) => ms > 0)) throw new RangeError('A time must be more than 0 ms.')
  signal?.throwIfAborted()
  const own = new AbortController()
  const close = () => own.abort()
  signal?.addEventListener('abort', close, { signal: own.signal })
  return {
    signal: own.signal,
    /** Closes the connection, if it is open, and lets go of the signal. */
    close,
    /**
     * Waits for the work, but for no longer than `ms`. Then the exchange is over. A connection that
     * went dead reports no error, and the client would wait for it without an end.
     *
     * @template T
     * @param {Promise<T>} work
     * @param {number} ms
     * @returns {Promise<T>}
     */
    soon: (work, ms) =>
      new Promise((resolve, reject) => {
        own.signal.onabort = () =>
          reject(signal?.aborted ? signal.reason : disconnected(new Error('too slow')))
        const timer = ms < NEVER_MS ? setTimeout(close, ms) : 0
        work.finally(() => clearTimeout(timer)).then(resolve, reject)
      }),
  }
}

/**
 * One exchange that consists of this work.
 *
 * @template T
 * @param {AbortSignal | undefined} signal
 * @param {number} ms how long it may take
 * @param {(signal: AbortSignal) => Promise<T>} work
 */
const during = async (signal, ms, work) => {
  const exchange = open(signal, ms)
  try {
    return await exchange.soon(work(exchange.signal), ms)
  } finally {
    exchange.close()
  }
}

/**
 * The events of a stream. Reconnects as often as needed. Returns after `end` or a 204, and throws
 * trouble that will not pass.
 *
 * @param {Api.WatchOptions} options
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<{ type: any, data: any }, void, void>} the data of trouble is its problem
 */
async function* events(options, url, signal) {
  const { timeoutMs = TIMEOUT_MS, silenceMs = 45_000 } = options
  const memory = { id: '', retryMs: 3000 }
  for (let failures = 0; ; failures++) {
    const exchange = open(signal, timeoutMs, silenceMs)
    let minimumMs = 0
    try {
      const response = await exchange.soon(
        ask(options, url, {
          headers: { accept: EVENT_STREAM, 'last-event-id': memory.id },
          signal: exchange.signal,
          // A browser makes a second stream of the same URL wait for the first one otherwise.
          cache: 'no-store',
        }),
        timeoutMs,
      )
      const { status, body } = response
      if (status === 204) return
      minimumMs = Math.min(Number(response.headers.get('retry-after')) * 1000 || 0, MAX_WAIT_MS)
      if (status !== 200 || !hasType(response, EVENT_STREAM)) {
        throw await exchange.soon(problemOf(response), timeoutMs)
      }
      options.onOpen?.()
      const reader = /** @type {NonNullable<typeof body>} */ (body).getReader()
      const decoder = new TextDecoder()
      const parse = createParser(memory)
      for (;;) {
        const { done, value } = await exchange.soon(reach(reader.read()), silenceMs)
        if (done) throw disconnected(new Error('cut'))
        for (const { event: type, data: text } of parse(decoder.decode(value, { stream: true }))) {
          if (type === 'end') return
          if (!/^(status|problem|gone)$/.test(type)) continue
          const data = parsed(text, status)
          yield { type, data: type === 'status' ? data : told(data, status) }
          failures = 0
        }
      }
    } catch (error) {
      signal.throwIfAborted()
      // A refusal (4xx) does not pass, unless it says so itself.
      if (!(error instanceof GatewayProblem)) throw error
      if (!error.retryable && error.status > 399 && error.status < 500) throw error
      options.onProblem?.(error)
    } finally {
      // This also closes the connection when the consumer ends the iteration early.
      exchange.close()
    }
    const waitMs = Math.max(minimumMs, backOff(memory.retryMs, failures))
    if (await pause(waitMs, signal, minimumMs)) failures = -1
  }
}

/**
 * Makes the parser of one connection (WHATWG HTML, 9.2.6). The parser takes text and yields the
 * events in it.
 *
 * @param {{ id: string, retryMs: number }} memory what the next connection needs to know
 */
const createParser = (memory) => {
  /** @returns {Record<string, any>} */
  const blank = () => ({ id: memory.id, event: '', data: '' })
  let rest = ''
  let afterCr = false
  let read = blank()
  /** @param {string} text */
  return function* (text) {
    if (!text) return
    // A CR at the end of the last chunk has ended its line. An LF that follows belongs to that CR.
    const lines = (rest + (afterCr ? text.replace(/^\n/, '') : text)).split(/\r\n?|\n/)
    afterCr = text.endsWith('\r')
    rest = /** @type {string} */ (lines.pop())
    for (const line of lines) {
      // This matches any line.
      const found = /** @type {string[]} */ (/([^:]*):? ?(.*)/s.exec(line))
      const [, field, value] = /** @type {[string, string, string]} */ (found)
      if (field === 'data') read.data += `\n${value}`
      // An id with a NUL in it is ignored, and no other field has one.
      else if (!value.includes('\0')) read[field] = value
      if (line) continue
      memory.id = read.id
      if (/^\d+$/.test(read.retry)) memory.retryMs = Math.max(+read.retry, MIN_WAIT_MS)
      if (read.data) yield { event: read.event, data: read.data.slice(1) }
      read = blank()
    }
  }
}

/**
 * The wait before the next try, milliseconds. It grows from `ms` with the failures, and is random,
 * so that clients do not come back at the same moment.
 *
 * @param {number} ms
 * @param {number} failures
 */
const backOff = (ms, failures) =>
  Math.min(ms * 2 ** failures, MAX_WAIT_MS) * (1 + Math.random() / 4)

/**
 * Waits, and resolves to whether it was woken: the device is online again, or somebody looks at the
 * page again.
 *
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @param {unknown} [mustLast] whether nothing wakes it
 * @returns {Promise<unknown>}
 */
const pause = (ms, signal, mustLast) =>
  new Promise((resolve, reject) => {
    const over = new AbortController()
    const once = { signal: over.signal }
    /** @param {unknown} [event] */
    const settle = (event) => {
      clearTimeout(timer)
      over.abort()
      if (signal?.aborted) reject(signal.reason)
      else resolve(event)
    }
    const timer = setTimeout(settle, ms)
    signal?.addEventListener('abort', settle, once)
    if (signal?.aborted) settle()
    if (mustLast) return
    // Node has neither of them. `visibilitychange` begins at the document and bubbles.
    for (const type of ['online', 'visibilitychange']) {
      globalThis.addEventListener?.(type, settle, once)
    }
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
  let lifeMs = 0
  try {
    const [, payload] = /** @type {[string, string]} */ (ticket.split('.'))
    const { exp, iat } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    const leftMs = exp * 1000 - askedAt
    lifeMs = iat ? (exp - iat) * 1000 : leftMs
    if (leftMs > 0) lifeMs = Math.min(lifeMs, leftMs)
  } catch {}
  if (!(lifeMs > 0)) lifeMs = TICKET_LIFE_MS
  return askedAt + lifeMs - Math.min(lifeMs / 10, TIMEOUT_MS)
}

/**
 * Calls a `ticket` function once.
 *
 * @param {Api.TicketSource} source
 * @returns {Promise<string>}
 */
const askFor = async (source) => {
  let cause
  try {
    const ticket = await during(undefined, TIMEOUT_MS, async () => source())
    if (ticket && typeof ticket === 'string') return ticket
  } catch (error) {
    if (error instanceof GatewayProblem && error.status) throw error
    cause = error
  }
  throw problem('no-ticket', 0, 'There is no ticket for the gateway.', cause)
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
    if (Date.now() >= renewAt) asking ??= ask()
    return asking ?? kept
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
      // Otherwise another request was refused too, and has replaced the ticket or is about to.
      if (!asking && kept === refused) {
        if (Date.now() < calmUntil) return ''
        calmUntil = Date.now() + backOff(1000, refusals++)
        renewAt = 0
      }
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
 * @param {RequestInit & { headers?: Record<string, string> }} init
 */
const ask = async (options, url, init) => {
  const { headers, fetch, apiKey, account, ticket } = options
  const all = new Headers(typeof headers === 'function' ? await headers() : headers)
  const own = { ...init.headers, 'x-api-key': apiKey, 'x-lemlist-account': account }
  for (const [name, value] of Object.entries(own)) if (value) all.set(name, value)
  const send = () => {
    const whole = { ...init, headers: all }
    // A `fetch` fails alike for a wrong request and for a lost network. This throws for the wrong one.
    if (!fetch && !new Request(url, whole).url.startsWith('http')) {
      throw new TypeError(`no http address: ${url}`)
    }
    return reach((fetch ?? globalThis.fetch)(url, whole))
  }
  if (!ticket) return send()

  const keeper = keeperOf(ticket)
  /** @param {string} one */
  const sendWith = (one) => {
    all.set('authorization', `Bearer ${one}`)
    return send()
  }
  const first = await keeper.current()
  const response = await sendWith(first)
  const second = response.status === 401 && (await keeper.replacement(first))
  // Nobody reads the first answer. Its connection is free for others when it is cancelled.
  if (second) response.body?.cancel().catch(() => {})
  const last = second ? await sendWith(second) : response
  if (last.status !== 401) keeper.accepted()
  return last
}

/**
 * @param {Api.RequestOptions} options
 * @param {string} url
 * @param {string} essence the member that every good answer has
 * @param {RequestInit & { headers?: Record<string, string> }} [init]
 */
const json = (options, url, essence, init) =>
  during(options.signal, options.timeoutMs ?? TIMEOUT_MS, async (signal) => {
    const response = await ask(options, url, { ...init, signal })
    if (!response.ok) throw await problemOf(response)
    return parsed(await reach(response.text()), response.status, essence)
  })

/**
 * What the gateway said. Throws a problem when it did not say that.
 *
 * @param {string} text
 * @param {number} status
 * @param {string} [essence] the member that it must have
 */
const parsed = (text, status, essence) => {
  try {
    const said = JSON.parse(text)
    if (essence ? said[essence] : said) return said
  } catch {}
  throw told(null, status)
}

/** @param {Response} response @param {string} type */
const hasType = ({ headers }, type) => headers.get('content-type')?.startsWith(type)

/** @param {Response} response */
const problemOf = async (response) => {
  const isOurs = hasType(response, 'application/problem+json')
  return told(isOurs && (await response.json().catch(() => {})), response.status)
}

/**
 * The problem that the gateway told. When something else has answered in its place, such as a proxy,
 * the problem says so.
 *
 * @param {any} said
 * @param {number} status
 */
const told = (said, status) =>
  typeof said?.code === 'string' && typeof said.status === 'number'
    ? new GatewayProblem(said)
    : problem('unexpected-answer', status, `Not an answer of the gateway: HTTP ${status}.`)

/** @param {string} code @param {number} status @param {string} detail @param {unknown} [cause] */
const problem = (code, status, detail, cause) =>
  new GatewayProblem({ code, title: detail, status, detail, retryable: true, cause })

/** @param {unknown} cause */
const disconnected = (cause) => problem('disconnected', 0, 'The gateway cannot be reached.', cause)

/**
 * Uses the network. Only an error in here is an error of the network: an error of a function that
 * the caller has passed stays as it is.
 *
 * @template T
 * @param {Promise<T>} use
 */
const reach = (use) =>
  use.catch((error) => {
    throw disconnected(error)
  })
