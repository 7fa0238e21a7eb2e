import { performance } from 'node:perf_hooks'
import { Problem } from '../../problems.ts'
import type { ExportRef, Kept } from '../export.ts'
import type { Follower } from '../following/follower.ts'
import type { Turn } from '../ports.ts'
import { wasTurnedAway } from '../turned-away.ts'
import type { Flight, Looker } from './looker.ts'

/** The turn of a caller. His patience says when he gives up. */
export type CallersTurn = Omit<Turn, 'giveUpAt' | 'latestAt'>

/** A status that lemlist has just told, and whether another caller had asked for it. */
export interface Looked extends Kept {
  readonly how: 'miss' | 'collapsed'
}

interface PatienceOptions {
  readonly looker: Pick<Looker, 'look'>
  readonly follower: Pick<Follower, 'note'>
  /** Returns how long a caller who comes now waits in line for lemlist, milliseconds. */
  readonly patienceMs: () => number
}

/** How often a caller in line checks whether it still makes sense to wait for the budget. */
const LOOK_AGAIN_MS = 100

/** Makes or joins looks for callers, who wait in line as long as their patience lasts. */
export const createPatientLook = ({ looker, follower, patienceMs }: PatienceOptions) => {
  /**
   * Makes or joins a look for a caller. The caller that starts the look also tells the follower, so
   * that the export is polled until it is final.
   */
  const look = (ref: ExportRef, turn: CallersTurn) => {
    const giveUpAt = turn.due + patienceMs()
    const { flight, joined } = looker.look(ref, { ...turn, giveUpAt })
    if (joined) return { flight, joined }
    const answer = flight.answer.then(async (kept) => {
      await follower.note(ref, kept)
      return kept
    })
    return { flight: { ...flight, answer }, joined }
  }

  /** Rejects when the look still waits in line after this caller's patience. The look goes on. */
  const patiently = async ({ look, answer }: Flight, began: number): Promise<Kept> => {
    const outOfPatience = Promise.withResolvers<never>()
    let timer: NodeJS.Timeout | undefined
    const wait = () => {
      const leftMs = began + patienceMs() - performance.now()
      if (leftMs > 0) timer = setTimeout(wait, Math.min(leftMs, LOOK_AGAIN_MS))
      else if (look.isWaiting()) outOfPatience.reject(noSlot())
    }
    wait()
    try {
      return await Promise.race([answer, outOfPatience.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  /** A poll may leave the line without a slot while a caller who has joined it is still patient. */
  const lookPatiently = async (ref: ExportRef, turn: CallersTurn): Promise<Looked> => {
    const { flight, joined } = look(ref, turn)
    try {
      return { ...(await patiently(flight, turn.due)), how: joined ? 'collapsed' : 'miss' }
    } catch (error) {
      const isPatient = performance.now() < turn.due + patienceMs()
      if (joined && isPatient && wasTurnedAway(error)) return lookPatiently(ref, turn)
      throw error
    }
  }

  return lookPatiently
}

const noSlot = (): Problem =>
  new Problem('budget-exhausted', 'No call to lemlist was free in time.', { retryAfterMs: 1_000 })
