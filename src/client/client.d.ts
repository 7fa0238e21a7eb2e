/**
 * The typed client of the lemlist export gateway. It is one ES module without dependencies, for
 * browsers and Node. The gateway serves the module at `/client.js` and these types at
 * `/client.d.ts`, both in its own version.
 *
 * ```js
 * import { downloadUrl, startExport, watchExport } from 'https://gateway.example/client.js'
 *
 * // On a page that the gateway itself serves, leave `baseUrl` out.
 * const baseUrl = 'https://gateway.example'
 * const { id: exportId } = await startExport({ baseUrl, campaignId })
 * for await (const { status } of watchExport({ baseUrl, campaignId, exportId })) {
 *   console.log(status.status, status.progress, status.total)
 * }
 * location.href = downloadUrl({ baseUrl, campaignId, exportId })
 * ```
 */

/** The two ids that name an export at lemlist. */
export interface ExportRef {
  /** The id of the campaign, `cam_…`. */
  campaignId: string
  /** The id of the export, `axp_…`: the `id` of the answer to its start. */
  exportId: string
}

/** The fields that lemlist documents for an export. lemlist may leave fields out and add others. */
interface ExportDetails {
  /** The same as `id`. Often absent. */
  _id?: string | undefined
  /** The id of the export, `axp_…`. */
  id?: string | undefined
  teamId?: string | undefined
  campaignId?: string | undefined
  campaignName?: string | undefined
  /** When the export began, ISO 8601. */
  startedAt?: string | undefined
  /** When the export ended, ISO 8601. Absent before. lemlist deletes the file 24 h later. */
  endedAt?: string | undefined
  /** The number of the step that the export is in, 0 to 6. */
  progressIndex?: number | undefined
  /** The time of the last progress, epoch milliseconds. */
  progressTime?: number | undefined
  /** The duration of the last step, milliseconds. */
  progressLastStepDuration?: number | undefined
  /** The name of the step. It is not the state: a pending export may have the step `done`. */
  progressType?: string | undefined
  /** How many items of this step are done. */
  progress?: number | undefined
  /**
   * How many items this step has. It is 0 at the start and 0 again at the end, so check it before
   * you divide by it.
   */
  total?: number | undefined
  /** The size of the CSV in bytes, when the export is done. */
  fileSize?: number | undefined
  /**
   * lemlist's own link to the CSV, when the export is done. Use `downloadUrl` instead: it leads to
   * the gateway and needs no lemlist credential.
   */
  url?: string | undefined
  [field: string]: unknown
}

/** The `status` object in a status. Only the field `status` in it is always present. */
export interface ExportFields extends ExportDetails {
  /**
   * The state of the export. `pending` = lemlist is working on it, `done` = the CSV can be
   * downloaded, `error` = it failed. The last two are final. lemlist may send a word that it has
   * not documented.
   */
  status: 'pending' | 'done' | 'error' | (string & {})
}

/** lemlist's answer to a start. It describes the new export. */
export interface StartedExport extends ExportDetails {
  /** The id of the new export: use it as `exportId`. */
  id: string
  status?: string | undefined
}

/** lemlist's answer to a read of the status, as the gateway passes it on. */
export interface ExportStatus {
  ok?: boolean | undefined
  status: ExportFields
  [field: string]: unknown
}

/** The members of a problem: the gateway's description of what went wrong (RFC 9457). */
export interface ProblemMembers {
  /**
   * What went wrong, for programs: a code of the gateway such as `export-not-found`. The client
   * adds three codes, all of trouble that passes:
   *
   * - `disconnected` = no answer came, or none in time, or the connection broke;
   * - `unexpected-answer` = the answer is not one of the gateway, but of a proxy, for example. A
   *   refusal of the gateway is `application/problem+json` with a string `code` and a number
   *   `status`, and its good answers are JSON with what was asked for in them;
   * - `no-ticket` = the `ticket` function failed, so nothing was sent.
   */
  code: string
  /** The HTTP status, also of an `unexpected-answer`. 0 when no answer came. */
  status: number
  /** What went wrong, in a few words. The same for every problem with this code. */
  title: string
  /** What went wrong this time, in a sentence for people. */
  detail: string
  /** Whether the same request may succeed later, unchanged. */
  retryable: boolean
  /** `urn:lemlist-export-gateway:problem:` and the code. */
  type?: string | undefined
  /** The id of the request. The operator of the gateway finds the request in the log by it. */
  instance?: string | undefined
  /** Which parts of the input are wrong, and why. */
  errors?: { path: string; message: string }[] | undefined
  /** The campaign of the export that the problem is about, if it came on a stream. */
  campaignId?: string | undefined
  /** The export that the problem is about, if it came on a stream. */
  exportId?: string | undefined
  /** The error behind `disconnected` or `no-ticket`. */
  cause?: unknown
}

export interface GatewayProblem extends ProblemMembers {}
/**
 * The error that the functions of this client throw when the gateway refuses a request, or when it
 * cannot be reached. `message` is the same as `detail`.
 *
 * ```js
 * try {
 *   await getStatus({ baseUrl, campaignId, exportId })
 * } catch (error) {
 *   if (error instanceof GatewayProblem && error.code === 'export-not-found') showUnknown()
 *   else throw error
 * }
 * ```
 */
export declare class GatewayProblem extends Error {
  constructor(problem: ProblemMembers)
}

/**
 * Brings a ticket: the `ticket` in the gateway's answer to `POST /tickets`. A page asks its own
 * backend for it, and only the backend has a key of the gateway.
 *
 * ```js
 * const ticket = async () => {
 *   const response = await fetch('/ticket', { method: 'POST' })
 *   if (!response.ok) throw new Error(`no ticket: ${response.status}`)
 *   return (await response.json()).ticket
 * }
 * ```
 */
export type TicketSource = () => Promise<string>

type HeaderValues = Headers | Record<string, string> | [string, string][]

/** Options of every request to the gateway. */
export interface RequestOptions {
  /**
   * The origin of the gateway, without a slash at the end, such as `https://gateway.example`.
   * Default: the origin of the page. Node has no page, so there it is required. What makes no
   * address with `http:` or `https:` is a `TypeError`. With an option `fetch` the client does not
   * check that.
   */
  baseUrl?: string | undefined
  /**
   * Headers for every request. A function is called anew for each request, also when a stream
   * reconnects, so that it can return a fresh token. When it throws, the call ends with that error,
   * and so does a watch.
   */
  headers?: HeaderValues | (() => HeaderValues | Promise<HeaderValues>) | undefined
  /**
   * Where the client gets its tickets from. It sends them as `Authorization: Bearer`, on streams
   * too, so that no ticket stands in an address. Only `downloadLink` puts one into a URL.
   *
   * Pass the same function to every call, and not a new one each time. For each function the client
   * keeps the last ticket, and uses it for all calls with that function. It calls the function:
   *
   * - for the first request;
   * - for the first request after nine tenths of the ticket's life, or 30 seconds before the end of
   *   a life of more than five minutes. The life is what the ticket itself says: a ticket is a JWT
   *   with an `exp`. Of a token that says nothing, the client assumes five minutes. Each reconnect
   *   of a stream is a request, so it goes out with a ticket that is valid, and with the id of the
   *   last event. A stream that is open when its ticket ends stays open;
   * - when the gateway answers 401: once, and the request is sent once more. When that is refused
   *   too, the caller is told the 401 as a problem. After that the client does not replace a refused
   *   ticket for a second, then two, four and so on up to half a minute, until a ticket is accepted.
   *
   * Requests that need a ticket at the same time wait for one call of the function, for at most 30
   * seconds. When it throws a `GatewayProblem` that has a status, the client passes that on. Any other
   * error, and an answer that is no string, becomes a problem `no-ticket` with status 0. A watch tells such a
   * problem to `onProblem` and tries again; to end the watch, for example because the user has
   * signed out, throw a `GatewayProblem` with status 401, or abort the `signal`.
   */
  ticket?: TicketSource | undefined
  /**
   * A key of the gateway, `leg_…`, which is sent as `X-Api-Key`. For backends: whoever can read the
   * code of a page can read a key in it. Give a key or a ticket: the gateway refuses both at once.
   * For a token of an identity provider, use `ticket` or `headers`.
   */
  apiKey?: string | undefined
  /**
   * Which lemlist account to use, for callers that may use several: sent as `X-Lemlist-Account`.
   * Default: the caller's first. A ticket is for one account already and needs no `account`.
   */
  account?: string | undefined
  /** Aborts the request or the watch at once. It then rejects with the reason of the signal. */
  signal?: AbortSignal | undefined
  /**
   * How long a request may take, milliseconds: until its answer is complete, or until a stream
   * begins. The time that `headers` and `ticket` take is part of it. After that the problem is
   * `disconnected`. More than 0, else a `RangeError`. `Infinity` and all from 2^31 on mean no
   * limit. Set more for a request with the header `Prefer: wait=…`. Default 30000.
   */
  timeoutMs?: number | undefined
  /** The `fetch` to use. Default: the global one. */
  fetch?: typeof globalThis.fetch | undefined
}

/**
 * Options of a watch. A watch reconnects by itself as often as needed: after the time that the
 * gateway names in `retry:` (10 ms to 30 s, at first 3 s), then after twice that time and so on up to
 * half a minute, until an event comes. It tries at once when the browser is online again, and when
 * the page is shown or hidden. When the gateway answers with `Retry-After`, it waits that long, at
 * most half a minute, in any case.
 */
export interface WatchOptions extends RequestOptions {
  /**
   * Called for trouble that may pass: with the export, with lemlist, or on the way to the gateway
   * (`disconnected`). The watch goes on by itself, so show the trouble and wait. Trouble with an
   * export or with lemlist is over when the next status comes. Trouble on the way is over when
   * `onOpen` is called. An error that `onProblem` or `onOpen` throws ends the watch: it throws the
   * same error.
   */
  onProblem?: ((problem: GatewayProblem) => void) | undefined
  /** Called when the stream is connected: the first time, and after every reconnect. */
  onOpen?: (() => void) | undefined
  /**
   * When nothing has come for this long, milliseconds, the client takes the connection for dead and
   * makes a new one. It must be longer than the gateway's `SSE_HEARTBEAT_MS` (15 s by default),
   * because a quiet stream carries a heartbeat. More than 0, else a `RangeError`. `Infinity` and all
   * that no timer can hold (2^31 and more) mean never. Default 45000.
   */
  silenceMs?: number | undefined
}

/**
 * What `watchExports` and `watchCampaign` yield. Each event is about one export. `status` = the newest status.
 * `problem` = trouble that may pass. `gone` = the export is over without a final status, and
 * nothing more comes about it.
 */
export type ExportEvent =
  | (ExportRef & { type: 'status'; body: ExportStatus })
  | (ExportRef & { type: 'problem'; problem: GatewayProblem })
  | (ExportRef & { type: 'gone'; problem: GatewayProblem })

/**
 * Watches one export. Yields its status now, then its status after every change. Ends after the
 * final status (`done` or `error`). After trouble or a reconnect the same status may come again.
 *
 * ```js
 * for await (const { status } of watchExport({ campaignId, exportId })) {
 *   show(status.status, status.progress, status.total)
 * }
 * ```
 *
 * The client makes no request before the first `next`. To stop watching, leave the loop or call
 * `return`: the client then closes the connection. When `signal` aborts, the loop throws the reason
 * of the signal.
 *
 * @throws GatewayProblem when the trouble will not pass: the export is gone, or the gateway refuses
 * the request (401, 404, 410 …). Other trouble goes to `onProblem`. So does any refusal that is not
 * the gateway's own.
 */
export declare const watchExport: (
  options: ExportRef & WatchOptions,
) => AsyncGenerator<ExportStatus, void, void>

/**
 * Watches 1 to 100 exports on one connection. Use it for more than a few exports: browsers open at
 * most six HTTP/1.1 connections to one host. Ends when all exports are over. An export that is gone
 * is told by a `gone` event, and the others go on.
 *
 * ```js
 * for await (const event of watchExports({ exports })) {
 *   if (event.type === 'status') show(event.exportId, event.body.status)
 *   else showProblem(event.exportId, event.problem)
 * }
 * ```
 *
 * @throws GatewayProblem when the gateway refuses the request. Trouble of one export is an event,
 * and other trouble goes to `onProblem`.
 */
export declare const watchExports: (
  options: { exports: readonly ExportRef[] } & WatchOptions,
) => AsyncGenerator<ExportEvent, void, void>

/**
 * Watches all exports of a campaign on one connection: the 100 newest that the gateway knows, and
 * each that is started or seen later, whoever started it. The events are those of `watchExports`.
 * Never ends by itself: leave the loop, call `return` or abort the `signal`.
 *
 * ```js
 * for await (const event of watchCampaign({ campaignId })) {
 *   if (event.type === 'status') show(event.exportId, event.body.status)
 *   else showProblem(event.exportId, event.problem)
 * }
 * ```
 *
 * The first events tell what is known already, so a page that shows states needs no `listExports`
 * beside it. After a reconnect only what has changed is told.
 *
 * @throws GatewayProblem when the gateway refuses the request. Trouble of one export is an event,
 * and other trouble goes to `onProblem`.
 */
export declare const watchCampaign: (
  options: { campaignId: string } & WatchOptions,
) => AsyncGenerator<ExportEvent, void, void>

/** One export in the list of a campaign. */
export interface ListedExport {
  exportId: string
  /** lemlist's word for the state. `timed-out` = lemlist has given the export up. */
  state: 'pending' | 'done' | 'error' | 'timed-out' | (string & {})
  /** When the gateway first saw the export, RFC 3339. */
  firstSeenAt: string
  /** When the gateway last saw it, RFC 3339. */
  observedAt: string
  /** When lemlist deletes the file, RFC 3339. Only of an export that is done. */
  fileUntil?: string | undefined
  /** lemlist's last answer. `null` when there has been none yet, and of an export that timed out. */
  body: ExportStatus | null
}

/** What the gateway knows of the exports of a campaign. */
export interface CampaignExports {
  campaignId: string
  /** Those first seen last stand first. */
  exports: ListedExport[]
}

/**
 * Lists the exports of a campaign that were started or seen through the gateway. lemlist has no
 * such list, and the gateway does not ask it. A campaign that nobody asked about has none.
 *
 * ```js
 * const { exports } = await listExports({ baseUrl, campaignId, limit: 100 })
 * for (const { exportId, state } of exports) show(exportId, state)
 * ```
 *
 * @throws GatewayProblem
 */
export declare const listExports: (
  options: {
    campaignId: string
    /** How many at most, 1 to 100. Default 20. */
    limit?: number | undefined
  } & RequestOptions,
) => Promise<CampaignExports>

/**
 * Reads the status of an export once.
 *
 * @throws GatewayProblem
 */
export declare const getStatus: (options: ExportRef & RequestOptions) => Promise<ExportStatus>

/**
 * Starts an export of the statistics of a campaign. The `id` of the answer is the export id. When
 * no answer of the gateway comes, the client asks again with the same key, so that one call never
 * starts two exports. It makes at most 6 requests. Between them it waits for 0.5, 1, 2, 4 and 8
 * seconds, or up to a quarter longer, so a call to a gateway that is away fails after 15 to 20
 * seconds. Each request may take `timeoutMs`, so a gateway that hangs may keep the call waiting for
 * more than three minutes. To end it sooner, set `timeoutMs`, or a `signal` such as
 * `AbortSignal.timeout(30_000)`.
 *
 * @throws GatewayProblem
 */
export declare const startExport: (
  options: {
    campaignId: string
    /**
     * Calls with the same key start one export only, for 24 h. Set it when a reload of the page
     * must not start a second export. 1 to 255 printable ASCII characters. Default: a new key for
     * each call.
     */
    idempotencyKey?: string | undefined
  } & RequestOptions,
) => Promise<StartedExport>

/**
 * Returns the URL at which the gateway serves the CSV of an export that is done. Navigate to it or
 * put it in a link. Makes no request itself. A gateway that wants to know its callers refuses this
 * URL: use `downloadLink`.
 */
export declare const downloadUrl: (options: ExportRef & { baseUrl?: string | undefined }) => string

/**
 * Resolves to the URL of the CSV with a valid ticket in it: `…/file?ticket=…`. Without the option
 * `ticket` it is the same as `downloadUrl`. Ask for it when somebody presses the link, because a
 * ticket ends: until then whoever has the URL can fetch the file.
 *
 * ```js
 * link.onclick = async (event) => {
 *   event.preventDefault()
 *   location.href = await downloadLink({ baseUrl, ticket, campaignId, exportId })
 * }
 * ```
 *
 * @throws GatewayProblem `no-ticket` when the `ticket` function fails
 */
export declare const downloadLink: (
  options: ExportRef & {
    baseUrl?: string | undefined
    ticket?: TicketSource | undefined
    signal?: AbortSignal | undefined
  },
) => Promise<string>

/** What a ticket opens. At least one export or campaign, at most 100 together. */
export interface TicketRequest {
  exports?: readonly ExportRef[] | undefined
  /** Ids of campaigns. The ticket opens all exports of them. */
  campaigns?: readonly string[] | undefined
  /**
   * `status` = read and watch, `file` = download, `start` = start exports. Default: `status` and
   * `file`, as far as the caller has them. A scope that the caller does not have is refused.
   */
  scopes?: readonly ('status' | 'file' | 'start')[] | undefined
  /** How long the ticket is valid, seconds, 1 to 8100. Default 900. */
  ttl?: number | undefined
}

/** A ticket of the gateway. */
export interface Ticket {
  ticket: string
  /** When it ends, RFC 3339. */
  expiresAt: string
}

/**
 * Makes a ticket, with the caller's own key or token. This is for the backend of a page: it decides
 * what its user may see, and gives the ticket to the page. A ticket cannot make another ticket.
 *
 * ```js
 * const { ticket } = await createTicket({ baseUrl, apiKey, exports: [{ campaignId, exportId }] })
 * ```
 *
 * @throws GatewayProblem
 */
export declare const createTicket: (options: TicketRequest & RequestOptions) => Promise<Ticket>
