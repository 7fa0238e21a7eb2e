import { Problem } from '../problems.ts'

/** How an export can be over without a final status. */

/** lemlist gives up on an export that is still pending after 2 hours: from then on it answers 404. */
export const timedOut = (): Problem =>
  new Problem('export-timed-out', 'lemlist gave up on this export: it was pending and is no more.')

/** Whether lemlist says that it does not know the export, or does not know it any more. */
export const isUnknown = (error: unknown): boolean =>
  error instanceof Problem &&
  (error.code === 'export-not-found' || error.code === 'campaign-not-found') &&
  error.options.upstreamStatus === 404
