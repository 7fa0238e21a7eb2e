import { setTimeout as delay } from 'node:timers/promises'
import { createRandom } from '../random.ts'
import { listenToBus } from './bus.ts'
import { check, FAULT_WINDOW } from './checking/checker.ts'
import { judgedColdReads } from './checking/cold-checker.ts'
import type { Violation } from './checking/record.ts'
import { recordStalls } from './checking/stalls.ts'
import { countTurns } from './checking/turn-checker.ts'
import { within } from './eventually.ts'
import { type FaultPlan, hitsOne, type PlannedFault, planFaults } from './fault-plan.ts'
import { EFFECTS, type Scene, WORKS } from './fault-works.ts'
import { BRISK, paceOf, startFleet } from './fleet.ts'
import type { PlantName } from './plants.ts'
import { readOnce } from './readers.ts'

/** The outcome of a fleet under a schedule of faults: the plan, and what the checker found. */
export interface Outcome {
  readonly plan: FaultPlan
  readonly violations: readonly Violation[]
  /** How many status calls lemlist got. */
  readonly calls: number
  /** How many statuses the clients were shown. */
  readonly sightings: number
  /** How often a client that had seen an end came to another replica. */
  readonly turns: Readonly<Record<'reads' | 'returns', number>>
  /** How many cold reads after a loss of Redis the gateway had to answer. */
  readonly coldReads: number
}

const REPLICAS = 3
const EXPORTS = 4
/** lemlist's deadline. The claims of a killed replica are free again 5 s after it. */
const TIMEOUT_MS = 1_000
const ENV = {
  ...paceOf(BRISK),
  POLL_IDLE_INTERVAL_MS: '2000',
  SSE_HEARTBEAT_MS: '1000',
  LEMLIST_TIMEOUT_MS: `${TIMEOUT_MS}`,
}
/**
 * How long a fleet may need after the last fault: until a claim of a killed replica comes back, for
 * two intervals, and for the longest `retry:` of a stream, 5 s.
 */
const LONGEST_RECOVERY_MS = TIMEOUT_MS + 5_000 + 2 * BRISK.intervalMs + 5_000
/** How long a replica needs after a fault to notice Redis again and to wait for its budget. */
const BLIND_MS = 4_000
/** How far a read may lag behind lemlist. A replica that was paused answers late. */
const READ_LAG_MS = 5_000
/** How often a roaming client changes its replica. */
const ROAM_MS = 900
/** Cold reads come so soon after Redis is lost. A replica notices that after 250 ms at most. */
const LOST_MS = 50
/** Cold reads come so long after Redis works again. A replica looks for it every 500 ms. */
const BACK_MS = 700

const begin = async (seed: number, plant?: PlantName): Promise<Scene> => {
  const fleet = await startFleet({ replicas: REPLICAS, env: ENV, seed, ...(plant && { plant }) })
  const [first, ...others] = fleet.stories(EXPORTS)
  if (first === undefined) throw new Error('there are no stories')
  recordStalls(fleet.recorder)
  const bus = await listenToBus(fleet.redis().url)
  const followers = fleet.replicas.flatMap((home) => [
    fleet.follow({ client: `many-${home.name}`, stories: [first, ...others], home }),
    fleet.follow({ client: `one-${home.name}`, stories: [first], home }),
  ])
  const roamers = [
    fleet.roam({ client: 'roamer-of-many', stories: [first, ...others], everyMs: ROAM_MS }),
    fleet.roam({ client: 'roamer-of-one', stories: [first], everyMs: ROAM_MS }),
  ]
  await Promise.all([...followers, ...roamers].map(({ told }) => told))
  return { fleet, stories: [first, ...others], followers, roamers, bus }
}

/** Reads exports that nobody has read, one at each replica that the fault hits. */
const readCold = async ({ fleet }: Scene, { name, replica }: PlannedFault): Promise<void> => {
  const hit = fleet.replicas.filter((_, index) => !hitsOne(name) || index === replica)
  const reads = hit
    .filter((one) => one.isUp())
    .flatMap((one) =>
      fleet.stories(1).map((story) => {
        // Nobody follows an export that is done. So it costs lemlist the calls of this read alone.
        story.finish()
        return readOnce({ client: 'cold-reader', story, recorder: fleet.recorder }, one)
      }),
    )
  await Promise.all(reads)
}

/** Breaks what the fault breaks. Cold reads come after Redis is lost, and after it is back. */
const suffer = async (scene: Scene, fault: PlannedFault): Promise<void> => {
  const { fleet } = scene
  const { name, replica } = fault
  await delay(fault.atMs)
  const effects = EFFECTS[name]
  const loses = effects.includes('loses')
  const cold: Promise<void>[] = []
  const readAfter = async (ms: number): Promise<void> => {
    await delay(ms)
    await readCold(scene, fault)
  }
  const work = (): Promise<void> => {
    if (loses) cold.push(readAfter(LOST_MS))
    return WORKS[name](scene, fault)
  }
  const hit = hitsOne(name) ? { replica: fleet.replicas[replica]?.name } : {}
  await fleet.disturb(name, BLIND_MS, work, { effects, ...hit })
  if (loses) cold.push(readAfter(BACK_MS))
  await Promise.all(cold)
}

const live = async ({ fleet, stories }: Scene, { ends }: FaultPlan): Promise<void> => {
  const lives = stories.map(async (story, index) => {
    const plan = ends[index]
    if (plan === undefined) throw new Error('an export without a plan')
    await delay(plan.progressAtMs)
    story.progress()
    await delay(plan.endAtMs - plan.progressAtMs)
    story.finish(plan.state)
  })
  for (const [index, story] of stories.slice(0, 2).entries()) {
    fleet.readOn({ client: `reader-${index}`, story, everyMs: 900 })
  }
  await Promise.all(lives)
}

/**
 * Runs the schedule of a seed, lets the fleet recover and reads every export at every replica once
 * more. Then the checker judges the record.
 *
 * @param plant a bug to plant into all replicas
 */
export const runSchedule = async (seed: number, plant?: PlantName): Promise<Outcome> => {
  const plan = planFaults(createRandom(seed), REPLICAS, EXPORTS)
  const scene = await begin(seed, plant)
  const { fleet, stories, followers, roamers } = scene
  await fleet.disturb('the schedule', LONGEST_RECOVERY_MS, async () => {
    const faults = plan.faults.map((fault) => suffer(scene, fault))
    await Promise.all([...faults, live(scene, plan)])
    await fleet.settled([...followers, ...roamers], LONGEST_RECOVERY_MS)
    // They come back to yet another replica, and are told there that they have seen the end.
    await within(LONGEST_RECOVERY_MS, Promise.all(roamers.map(({ stopped }) => stopped)))
    // While the others were down, a client could only come back to the replica that told it the end. By
    // now all of them are up.
    const again = roamers.filter(({ isFinished }) => isFinished()).map((one) => one.comeBack())
    await within(LONGEST_RECOVERY_MS, Promise.all(again))
  })
  for (const story of stories) {
    for (const replica of fleet.replicas) {
      await readOnce({ client: 'last-reader', story, recorder: fleet.recorder }, replica)
    }
  }
  const record = fleet.record()
  const polls = { ...BRISK, replicas: REPLICAS }
  const cold = { replicas: REPLICAS, calls: 16, reserve: 4, windowMs: FAULT_WINDOW.ms }
  const rules = { window: FAULT_WINDOW, readLagMs: READ_LAG_MS, polls, roams: true, cold }
  return {
    plan,
    calls: record.calls.length,
    sightings: record.sightings.length,
    turns: countTurns(record),
    coldReads: judgedColdReads(record, cold).judged,
    violations: check(record, rules),
  }
}
