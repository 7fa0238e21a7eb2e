import type { Budget, BudgetLimits } from '../exports/ports.ts'
import { SOCKETS } from './connection.ts'

/** The gateway's limits that follow from lemlist's rate limit and from the deadline of a call. */

/**
 * The budget's window is longer than lemlist's window by this factor. Calls that leave one window
 * apart may arrive at lemlist within one window, because some take longer on the way. The
 * additional 40th (50 ms of 2 s) keeps them apart at lemlist, too. It costs a 40th of the budget.
 * The reserve cannot serve this purpose: a replica that is cut off from Redis spends it.
 */
const ARRIVAL_SLACK = 1.025
/**
 * In a quarter of its window the budget lets only a quarter of the calls leave. More polls than
 * that would only stand in line.
 */
const PACED_QUARTERS = 4
/** A poll stands in line for at least this time before it gives up, milliseconds. */
const LEAST_STAND_MS = 4_500
/** The way to the store and back may take this part of a claim, milliseconds. */
const CLAIM_MARGIN_MS = 500
/** A poll stands in line for this time longer than a caller, milliseconds. */
const BEYOND_CALLERS_MS = 250
/**
 * The part of a call's deadline that a caller waits in line. A caller is promised an answer within
 * half of the deadline. The factor 0.85 leaves time to send hundreds of refusals at once.
 */
const PATIENCE = 0.5 * 0.85

/**
 * The limits that the budget keeps, so that lemlist never counts more than `calls` in `windowMs`.
 */
export const budgetLimits = ({ calls, windowMs }: BudgetLimits): BudgetLimits => ({
  calls,
  windowMs: windowMs * ARRIVAL_SLACK,
})

/**
 * How many polls may stand in line at once: as many as may leave together. At least 1, and at most
 * one for each socket.
 */
export const pollPlaces = (calls: number): number =>
  Math.min(SOCKETS, Math.max(1, Math.floor(calls / PACED_QUARTERS)))

/**
 * How long a poll may stand in line, milliseconds. That is longer than a caller stands there.
 * Otherwise callers who come all the time would keep every poll from its slot.
 */
export const pollStandMs = (timeoutMs: number): number =>
  Math.max(LEAST_STAND_MS, timeoutMs * PATIENCE + BEYOND_CALLERS_MS)

/**
 * How long a claim on an export holds, milliseconds. That is longer than any look takes: it may
 * stand in line, and then its call has a deadline. When the claim ends, the call is over, or its
 * replica is dead.
 */
export const claimMs = (timeoutMs: number): number =>
  pollStandMs(timeoutMs) + timeoutMs + CLAIM_MARGIN_MS

/**
 * How long a caller stands in line for lemlist (`patienceMs`), and how long it makes sense now to
 * wait for the budget (`budgetPatienceMs`), both in milliseconds.
 */
export const patienceOf = (timeoutMs: number, budget: Pick<Budget, 'patienceMs'>) => ({
  patienceMs: timeoutMs * PATIENCE,
  budgetPatienceMs: (): number => budget.patienceMs?.() ?? Number.POSITIVE_INFINITY,
})
