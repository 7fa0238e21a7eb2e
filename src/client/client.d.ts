/**
 * The typed client of the lemlist export gateway: one ES module without dependencies, for browsers
 * and Node. The gateway serves it at `/client.js`, always in its own version.
 *
 * ```js
 * import { downloadUrl, startExport, watchExport } from 'https://gateway.example/client.js'
 *
 * const { id: exportId } = await startExport({ baseUrl, campaignId })
 * for await (const { status } of watchExport({ baseUrl, campaignId, exportId })) {
 *   console.log(status.status, status.progress, status.total)
 * }
 * location.href = downloadUrl({ baseUrl, campaignId, exportId })
 * ```
 */

/** An export, as lemlist names it. */
export interface ExportRef {
  /** `cam_…` */
  campaignId: string
  /** `axp_…` */
  exportId: string
}

/** What lemlist may say of an export; other fields may come. */
interface ExportDetails {
  /** Same as `id`; often absent. */
  _id?: string | undefined
  id?: string | undefined
  teamId?: string | undefined
  campaignId?: string | undefined
  campaignName?: string | undefined
  /** ISO 8601. */
  startedAt?: string | undefined
  /** ISO 8601; only when it is over. The file is deleted 24 h later. */
  endedAt?: string | undefined
  /** Step, 0 to 6. */
  progressIndex?: number | undefined
  /** Epoch milliseconds. */
  progressTime?: number | undefined
  /** Milliseconds. */
  progressLastStepDuration?: number | undefined
  /** Name of the step. Not the state: a pending export may say `done`. */
  progressType?: string | undefined
  /** Items done in this step. */
  progress?: number | undefined
  /** Items to do in this step; 0 at the start and again at the end. */
  total?: number | undefined
  /** Bytes of the CSV, when done. */
  fileSize?: number | undefined
  /** Where lemlist has the CSV, when done. `downloadUrl` needs no credential of lemlist. */
  url?: string | undefined
  [field: string]: unknown
}

/** Only the state is certain. */
export interface ExportFields extends ExportDetails {
  /** `pending`, `done`, `error`, or a word that lemlist has not documented. */
  status: 'pending' | 'done' | 'error' | (string & {})
}

/** lemlist's answer to a start. */
export interface StartedExport extends ExportDetails {
  /** The export id. */
  id: string
  status?: string | undefined
}

/** lemlist's answer to a status call. */
export interface ExportStatus {
  ok?: boolean | undefined
  status: ExportFields
  [field: string]: unknown
}

/** What went wrong, as the gateway tells it (RFC 9457). */
export interface ProblemMembers {
  /** The gateway's code; `disconnected` when nobody answered, `unexpected-answer` when somebody else did. */
  code: string
  /** HTTP status; 0 when nobody answered. */
  status: number
  title: string
  /** For people. */
  detail: string
  /** Whether the same request may succeed later. */
  retryable: boolean
  type?: string | undefined
  /** The request id, for the log of the gateway. */
  instance?: string | undefined
  /** What is wrong where in the input. */
  errors?: { path: string; message: string }[] | undefined
  /** The export that it is about, when it came on a stream. */
  campaignId?: string | undefined
  exportId?: string | undefined
  cause?: unknown
}

export interface GatewayProblem extends ProblemMembers {}
/** Whatever the gateway refuses, and a gateway that cannot be reached. */
export declare class GatewayProblem extends Error {
  constructor(problem: ProblemMembers)
}

type HeaderValues = Headers | Record<string, string> | [string, string][]

export interface RequestOptions {
  /** Origin of the gateway, without a slash at the end. Default: the origin of the page. */
  baseUrl?: string | undefined
  /** Sent with every request. A function is asked anew for each, so that a token can be fresh. */
  headers?: HeaderValues | (() => HeaderValues | Promise<HeaderValues>) | undefined
  /** Ends it at once; what is waited for rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch | undefined
}

export interface WatchOptions extends RequestOptions {
  /**
   * Trouble that may pass: of the export, of lemlist, or of the way to the gateway (`disconnected`).
   * The watch goes on by itself. Trouble of an export is over with its next status, trouble of the way
   * with `onOpen`.
   */
  onProblem?: ((problem: GatewayProblem) => void) | undefined
  /** Connected, for the first time or again. */
  onOpen?: (() => void) | undefined
  /**
   * A connection on which nothing has come for so many milliseconds is given up and made anew. Must be
   * longer than the gateway's `SSE_HEARTBEAT_MS`. Default 60000.
   */
  silenceMs?: number | undefined
}

/** What `watchExports` tells, each of one export. `problem` passes, `gone` does not. */
export type ExportEvent =
  | (ExportRef & { type: 'status'; body: ExportStatus })
  | (ExportRef & { type: 'problem' | 'gone'; problem: GatewayProblem })

/**
 * The status now, then every change, to the final one (`done` or `error`). A status may come twice,
 * after trouble or a reconnect. Nothing is asked for before the first `next`, nor after `return`.
 *
 * @throws GatewayProblem for what will not pass: an export that is gone, a refusal (401, 404, 410 …)
 */
export declare const watchExport: (
  options: ExportRef & WatchOptions,
) => AsyncGenerator<ExportStatus, void, void>

/**
 * As `watchExport`, for 1 to 100 exports on one connection: browsers open six to a host. Ends when all
 * of them are over. An export that is gone is told and does not end the others.
 *
 * @throws GatewayProblem for a refusal
 */
export declare const watchExports: (
  options: { exports: readonly ExportRef[] } & WatchOptions,
) => AsyncGenerator<ExportEvent, void, void>

/** The status now. @throws GatewayProblem */
export declare const getStatus: (options: ExportRef & RequestOptions) => Promise<ExportStatus>

/**
 * Starts an export; its `id` is the export id. When no answer comes it asks again with the same key,
 * so that one call never starts two exports.
 *
 * @throws GatewayProblem
 */
export declare const startExport: (
  options: {
    campaignId: string
    /** Calls with the same key are one start, for 24 h. Default: a new one for each call. */
    idempotencyKey?: string | undefined
  } & RequestOptions,
) => Promise<StartedExport>

/** Where the CSV of a done export is. */
export declare const downloadUrl: (options: ExportRef & { baseUrl?: string | undefined }) => string
