import type { Budget, BudgetLimits } from '../exports/ports.ts'
import { SOCKETS } from './connection.ts'

/** What follows for the gateway from lemlist's rate limit and from the deadline of a call. */

/**
 * Calls that leave a window apart may arrive in one. A 40th more (50 ms of 2 s) keeps them apart at
 * lemlist too, and costs a 40th of the budget: with a replica that is cut off from Redis and spends the
 * reserve there is no other room for it.
 */
const ARRIVAL_SLACK = 1.025
/** The budget is paced by quarters of its window: more polls would only stand in line. */
const PACED_QUARTERS = 4
/** A claim is given up for dead when its call must be over, and a little later. */
const VISIBILITY_SLACK_MS = 5_000
/** Of the deadline of a call: half, less what it takes to answer, so that "within half" is true. */
const PATIENCE = 0.5 * 0.85

/** The limits that the budget keeps, so that lemlist counts no more than `calls` in `windowMs`. */
export const budgetLimits = ({ calls, windowMs }: BudgetLimits): BudgetLimits => ({
  calls,
  windowMs: windowMs * ARRIVAL_SLACK,
})

/** Polls that may stand in line at once: as many as may leave together. At least 1. */
export const pollPlaces = (calls: number): number =>
  Math.min(SOCKETS, Math.max(1, Math.floor(calls / PACED_QUARTERS)))

/** How long a claim on an export holds, milliseconds: longer than any look takes. */
export const claimMs = (timeoutMs: number): number => timeoutMs + VISIBILITY_SLACK_MS

/** How long a caller stands in line for lemlist, and for how much of it the budget is worth waiting for. */
export const patienceOf = (timeoutMs: number, budget: Pick<Budget, 'patienceMs'>) => ({
  patienceMs: timeoutMs * PATIENCE,
  budgetPatienceMs: (): number => budget.patienceMs?.() ?? Number.POSITIVE_INFINITY,
})
