import type { Random } from '../random.ts'

/** What may go wrong in a fleet. The code that causes a fault also ends it. */
export const FAULTS = [
  'Redis slow for one',
  'Redis cut off from one',
  'Redis swallows what one says',
  'Redis refuses one',
  'Redis closes slowly on one',
  'Redis stands still',
  'Redis killed and empty',
  'Redis flushed',
  'Redis drops the listeners',
  'replica killed',
  'replica stands still',
  'replica stopped',
  'clients lose their connections',
  'bus repeats itself',
  'lemlist slow',
] as const

export type FaultName = (typeof FAULTS)[number]

/** Whether the fault hits a single replica. All other faults hit the whole fleet. */
export const hitsOne = (name: FaultName): boolean =>
  name.startsWith('replica ') || hitsTheUnlucky(name)

const hitsTheUnlucky = (name: FaultName): boolean =>
  name.endsWith(' one') || name.includes('one says')

export interface PlannedFault {
  readonly name: FaultName
  /** When the fault begins, milliseconds after the schedule has begun. */
  readonly atMs: number
  readonly forMs: number
  /** The number of the replica that the fault hits. Only some faults hit a single replica. */
  readonly replica: number
}

/** What happens to one export. Times are milliseconds after the schedule has begun. */
export interface PlannedEnd {
  readonly progressAtMs: number
  readonly endAtMs: number
  readonly state: 'done' | 'error'
}

export interface FaultPlan {
  readonly faults: readonly PlannedFault[]
  readonly ends: readonly PlannedEnd[]
}

/** How long a schedule of faults lasts at most. */
export const SCHEDULE_MS = 5_000
const LONGEST_FAULT_MS = 2_500

/** Makes a plan. The same random numbers make the same plan. */
export const planFaults = (random: Random, replicas: number, exports: number): FaultPlan => {
  // Without Redis each replica has a share of the budget. The shares keep lemlist's limit when one
  // replica is cut off, and when all are, but not in between. So one replica gets all these faults.
  const unlucky = random.between(0, replicas - 1)
  const faults = Array.from({ length: random.between(3, 6) }, (): PlannedFault => {
    const name = random.pick(FAULTS)
    const forMs = random.between(200, LONGEST_FAULT_MS)
    const anyone = random.between(0, replicas - 1)
    return {
      name,
      atMs: random.between(0, SCHEDULE_MS - forMs),
      forMs,
      replica: hitsTheUnlucky(name) ? unlucky : anyone,
    }
  })
  const ends = Array.from({ length: exports }, (): PlannedEnd => {
    const endAtMs = random.between(500, SCHEDULE_MS)
    const state = random.between(0, 3) === 0 ? 'error' : 'done'
    return { progressAtMs: random.between(0, endAtMs), endAtMs, state }
  })
  return { faults: faults.toSorted((a, b) => a.atMs - b.atMs), ends }
}
