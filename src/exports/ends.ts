import { Problem } from '../problems.ts'

/** The ways in which an export can be over without a final status. */

/**
 * The problem of an export that lemlist has given up on. lemlist gives up on an export that is
 * still pending after 2 hours, and answers 404 from then on.
 */
export const timedOut = (): Problem =>
  new Problem(
    'export-timed-out',
    'lemlist gave up on this export: it was pending, and lemlist does not know it any more.',
  )

/** Whether lemlist has answered that it does not know the export, or does not know it any more. */
export const isUnknown = (error: unknown): boolean =>
  error instanceof Problem &&
  (error.code === 'export-not-found' || error.code === 'campaign-not-found') &&
  error.options.upstreamStatus === 404
