import type { ExportRef, Snapshot } from '../../../src/exports/export.ts'
import type { Budget, Look, Turn, Upstream } from '../../../src/exports/ports.ts'
import type { CallClass } from '../../../src/exports/schedule.ts'
import { createWaitingLine } from '../../../src/lemlist/waiting-line.ts'
import { Problem } from '../../../src/problems.ts'
import type { Random } from '../random.ts'

/** A call to lemlist. Times are virtual epoch milliseconds. */
export interface Call {
  readonly at: number
  readonly exportId: string
  readonly callClass: CallClass
  endedAt?: number
}

/** lemlist on virtual time. */
export interface VirtualLemlist {
  readonly calls: readonly Call[]
  /** A call takes at random between this time and twice as long, milliseconds. */
  callMs: number
  /**
   * Adds an export that is done at that time, or never when it is `Infinity`. lemlist does not know
   * exports that were not added.
   */
  add(exportId: string, doneAt: number): void
  /** Asks for a status. @throws Problem when lemlist does not know the export */
  call(exportId: string, callClass: CallClass): Promise<Snapshot>
}

interface VirtualLemlistOptions {
  readonly random: Random
  readonly fileTtlMs: number
  /** Called when a call finds that an export is done. */
  readonly found: (exportId: string) => void
}

export const createVirtualLemlist = (options: VirtualLemlistOptions): VirtualLemlist => {
  const { random, fileTtlMs, found } = options
  const calls: Call[] = []
  const exports = new Map<string, number>()

  const snapshotOf = (exportId: string, doneAt: number): Snapshot => {
    const observedAt = Date.now()
    const state = observedAt >= doneAt ? 'done' : 'pending'
    const body = Buffer.from(`{"ok":true,"status":{"id":"${exportId}","status":"${state}"}}`)
    const snapshot = { body, state, version: `${state}-${exportId}`, observedAt }
    return state === 'done' ? { ...snapshot, endOfLife: doneAt + fileTtlMs } : snapshot
  }

  const lemlist: VirtualLemlist = {
    calls,
    callMs: 60,
    add: (exportId, doneAt) => void exports.set(exportId, doneAt),
    call: async (exportId, callClass) => {
      const call: Call = { at: Date.now(), exportId, callClass }
      calls.push(call)
      await new Promise((resolve) => setTimeout(resolve, lemlist.callMs * (1 + random.next())))
      call.endedAt = Date.now()
      const doneAt = exports.get(exportId)
      if (doneAt === undefined) {
        throw new Problem('export-not-found', 'not known', { upstreamStatus: 404 })
      }
      const snapshot = snapshotOf(exportId, doneAt)
      if (snapshot.state === 'done') found(exportId)
      return snapshot
    },
  }
  return lemlist
}

interface VirtualUpstreamOptions {
  readonly lemlist: VirtualLemlist
  readonly budget: Budget
  readonly account: string
  readonly maxRunning: number
  readonly random: Random
}

/**
 * How long a request of a replica to the shared store takes at most, milliseconds. Each takes a random
 * time. Without it the same replica would always get the next slot.
 */
const LONGEST_WAY_MS = 20

/** Creates the upstream of a replica: the gateway's own waiting line in front of virtual calls. */
export const createVirtualUpstream = (
  options: VirtualUpstreamOptions,
): Upstream & { close(): void } => {
  const { lemlist, budget, account, maxRunning, random } = options
  const take = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, random.between(0, LONGEST_WAY_MS)))
    return budget.take(account)
  }
  const line = createWaitingLine({ take, maxRunning })

  const status = ({ exportId }: ExportRef, turn: Turn): Look => {
    let { callClass } = turn
    const place = line.enter(turn)
    const answer = place.slot.then((release) =>
      lemlist.call(exportId, callClass).finally(() => release()),
    )
    const left = () => {}
    return {
      answer,
      started: place.slot.then(left, left),
      isWaiting: place.isWaiting,
      hurry: (sooner) => {
        if (sooner.callClass === 'watched') callClass = 'watched'
        place.hurry(sooner)
      },
    }
  }

  const none = (): never => {
    throw new Error('the simulation neither starts exports nor downloads files')
  }
  return { status, start: none, file: none, close: line.close }
}
