/** What an export looks like at a moment. Pure: the same life at the same time is the same look. */

export type Outcome = 'done' | 'error' | 'never'

/** How an export goes. All times are epoch milliseconds, all durations already scaled. */
export interface Life {
  readonly startedAt: number
  /** How long it runs; with the outcome `never`, how long until it is stuck. */
  readonly durationMs: number
  /** Items of each step. */
  readonly total: number
  readonly outcome: Outcome
  /** An end set by hand; beats `durationMs` and `outcome`. */
  readonly ended?: { readonly at: number; readonly state: 'done' | 'error' }
  /** A progress set by hand; shown until the export ends. */
  readonly pinned?: { readonly at: number; readonly progress: number; readonly total: number }
}

export interface Look {
  readonly state: 'pending' | 'done' | 'error'
  /** 0 at start, 6 at done, as in every example of the documentation. */
  readonly index: number
  /** When this progress was reached, epoch milliseconds. */
  readonly time: number
  readonly lastStepDurationMs: number
  readonly type: 'starting' | 'processing' | 'done'
  /** Items done and to do in this step; 0 of 0 at the start and again at done. */
  readonly progress: number
  readonly total: number
}

const STEPS = 6
const STUCK_STEP = 3
/** Steps that an export gets through before it fails or is stuck: in the middle of step 3. */
const STUCK_AFTER = STUCK_STEP + 0.5

/** When it ends, or ended; `Infinity` for one that nobody finishes. */
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
  // Progress moves with the clock and only with it, so that two looks at one moment are equal bytes.
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
  // No error answer is documented; the project expects the pending shape with another word.
  if (state === 'error') return { state, ...working(life, end) }
  const still = { lastStepDurationMs: 0, progress: 0, total: 0 }
  return { state, index: STEPS, time: end, type: 'done', ...still }
}
