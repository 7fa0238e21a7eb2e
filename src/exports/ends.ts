import { Problem, type ProblemOptions } from '../problems.ts'

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

/** The problem of an export whose file lemlist has deleted. */
export const expired = (): Problem =>
  new Problem('export-expired', 'The export is over and its file is deleted.')

/**
 * The problem of a campaign that lemlist does not know. A campaign that is not the caller's gets the
 * very same one, so that nobody can tell the two apart.
 */
export const campaignMissing = (options: ProblemOptions = {}): Problem =>
  new Problem(
    'campaign-not-found',
    'lemlist does not know this campaign for this account.',
    options,
  )

/** Whether lemlist has answered that it does not know the export, or does not know it any more. */
export const isUnknown = (error: unknown): boolean =>
  error instanceof Problem &&
  (error.code === 'export-not-found' || error.code === 'campaign-not-found') &&
  error.options.upstreamStatus === 404
