/**
 * What an export looks like at a moment. These functions are pure: the same life at the same time
 * gives the same look.
 */

export type Outcome = 'done' | 'error' | 'never'

/** How an export goes. All times are epoch milliseconds, all durations already scaled. */
export interface Life {
  readonly startedAt: number
  /** How long the export runs. With the outcome `never`: how long until it is stuck. */
  readonly durationMs: number
  /** How many items each step has. */
  readonly total: number
  readonly outcome: Outcome
  /** An end that was set by hand. It beats `durationMs` and `outcome`. */
  readonly ended?: { readonly at: number; readonly state: 'done' | 'error' }
  /** A progress that was set by hand. It is shown until the export ends. */
  readonly pinned?: { readonly at: number; readonly progress: number; readonly total: number }
}

export interface Look {
  readonly state: 'pending' | 'done' | 'error'
  /** The step: 0 at the start, 6 when done, as in every example of lemlist's documentation. */
  readonly index: number
  /** When this progress was reached, epoch milliseconds. */
  readonly time: number
  readonly lastStepDurationMs: number
  readonly type: 'starting' | 'processing' | 'done'
  /** Items of this step that are done, of `total`. Both are 0 at the start, and again when done. */
  readonly progress: number
  readonly total: number
}

const STEPS = 6
const STUCK_STEP = 3
/** How many steps an export goes through before it fails or is stuck: to the middle of step 3. */
const STUCK_AFTER = STUCK_STEP + 0.5

/** When the export ends or ended, epoch milliseconds. `Infinity` when it never ends by itself. */
export const endOf = (life: Life): number => {
  if (life.ended !== undefined) return life.ended.at
  return life.outcome === 'never' ? Number.POSITIVE_INFINITY : life.startedAt + life.durationMs
}

const working = (life: Life, at: number): Omit<Look, 'state'> => {
  const { startedAt, durationMs, outcome, pinned } = life
  if (pinned !== undefined) {
    const { progress, total } = pinned
    const base = { index: STUCK_STEP, time: pinned.at, lastStepDurationMs: 200 }
    return { ...base, type: 'processing', progress, total }
  }
  // Progress depends on the clock alone, so that two looks at the same moment give the same bytes.
  const steps = outcome === 'done' ? STEPS : STUCK_AFTER
  const elapsed = Math.min(Math.max(0, at - startedAt), durationMs)
  const position = durationMs > 0 ? (elapsed * steps) / durationMs : 0
  const index = Math.min(STEPS - 1, Math.floor(position))
  if (index === 0) {
    const base = { index, time: startedAt, lastStepDurationMs: 0 }
    return { ...base, type: 'starting', progress: 0, total: 0 }
  }
  const stepMs = durationMs / steps
  const progress = Math.floor(life.total * (position - index))
  const reached = life.total > 0 ? progress / life.total : 0
  return {
    index,
    time: Math.round(startedAt + (index + reached) * stepMs),
    lastStepDurationMs: Math.round(stepMs),
    type: 'processing',
    progress,
    total: life.total,
  }
}

export const lookAt = (life: Life, at: number): Look => {
  const end = endOf(life)
  if (at < end) return { state: 'pending', ...working(life, at) }
  const state = life.ended?.state ?? (life.outcome === 'error' ? 'error' : 'done')
  // lemlist documents no answer for an export in error. This project expects the shape of a pending
  // one, with the other state.
  if (state === 'error') return { state, ...working(life, end) }
  const still = { lastStepDurationMs: 0, progress: 0, total: 0 }
  return { state, index: STEPS, time: end, type: 'done', ...still }
}
