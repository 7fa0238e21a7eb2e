import { randomUUID } from 'node:crypto'
import { keyOf } from '../../exports/export.ts'
import type { Schedule } from '../../exports/schedule.ts'
import {
  claimed,
  deadlineOf,
  noted,
  rescheduled,
  type Tracked,
  watched,
  withoutToken,
} from '../tracked.ts'

export interface MemoryScheduleOptions {
  /** How long a claimed export is not due again, milliseconds. Longer than any look takes. */
  readonly visibilityMs: number
}

/**
 * `Schedule` in a map. A claim walks over all rows, which takes some milliseconds for the 65 000
 * that there can be. In return there is no sorted copy that could get out of step.
 */
export const createMemorySchedule = ({ visibilityMs }: MemoryScheduleOptions): Schedule => {
  const rows = new Map<string, Tracked>()

  const nextDueAt = (): number | undefined => {
    let next: number | undefined
    for (const { dueAt } of rows.values()) if (next === undefined || dueAt < next) next = dueAt
    return next
  }

  return {
    async track(tracking) {
      const key = keyOf(tracking.ref)
      rows.set(key, noted(tracking, rows.get(key)))
    },
    async watch(refs, watchedUntil, dueBy) {
      for (const key of refs.map(keyOf)) {
        const kept = rows.get(key)
        if (kept !== undefined) rows.set(key, watched(kept, watchedUntil, dueBy))
      }
    },
    async claim(now, limit) {
      const due = [...rows.values()].filter(({ dueAt }) => dueAt <= now)
      due.sort((one, other) => deadlineOf(one) - deadlineOf(other))
      const claims = due.slice(0, Math.max(0, limit)).map((kept) => {
        const { claim, rest } = claimed(kept, randomUUID(), now + visibilityMs)
        rows.set(keyOf(kept.ref), rest)
        return claim
      })
      return { claims, nextDueAt: nextDueAt() }
    },
    async reschedule({ ref, token }, plan) {
      const key = keyOf(ref)
      const kept = rows.get(key)
      if (kept === undefined || kept.token !== token) return false
      rows.set(key, rescheduled(kept, plan))
      return true
    },
    async find(ref) {
      const kept = rows.get(keyOf(ref))
      return kept === undefined ? undefined : withoutToken(kept)
    },
    async untrack(ref, token) {
      const key = keyOf(ref)
      if (token !== undefined && rows.get(key)?.token !== token) return false
      return rows.delete(key)
    },
  }
}
