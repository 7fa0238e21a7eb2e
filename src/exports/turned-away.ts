import { Problem } from '../problems.ts'

/**
 * Whether the waiting line turned the call away, because there was no slot in time or because
 * nobody wanted the call any more. The call did not reach lemlist, so the error says nothing about
 * the export.
 */
export const wasTurnedAway = (error: unknown): boolean =>
  error instanceof Problem && error.code === 'budget-exhausted' && error.options.notSent === true
