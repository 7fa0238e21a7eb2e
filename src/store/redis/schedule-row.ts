import type { ExportRef } from '../../exports/export.ts'
import { type Fields, objectFrom, parsed } from '../../exports/parsed.ts'
import type { Claim, Tracked, Tracking } from '../../exports/schedule.ts'
import { classOf, isOrigin, planOf } from '../tracked.ts'

/**
 * The rows of the schedule in Redis: JSON by the key of the export. Other programs may write to
 * Redis, so these functions check each field. A text that no gateway has written counts as no row.
 */

export const encodeRow = (tracking: Tracking): string =>
  JSON.stringify({ ...planOf(tracking), firstSeenAt: Math.round(tracking.firstSeenAt) })

/**
 * Reads an answer of `find`: `w` for a watched export or `i` for another one, and the row behind
 * that letter. The answer is empty for an export that is not tracked.
 */
export const trackedFrom = (ref: ExportRef, answer: unknown): Tracked | undefined => {
  if (typeof answer !== 'string' || answer === '') return undefined
  const tracking = trackingFrom(ref, fieldsOf(answer.slice(1)))
  return tracking && { ...tracking, watched: answer.startsWith('w') }
}

/**
 * Reads a claim that the script answers: the key and the row. The queue of the row says whether the
 * export is watched. A row that no gateway has written gives no claim.
 */
export const claimFrom = (pair: unknown): Claim[] => {
  const [key, text] = Array.isArray(pair) ? pair : []
  const ref = refFrom(key)
  const fields = fieldsOf(text)
  const tracking = ref && trackingFrom(ref, fields)
  if (tracking === undefined || typeof fields.token !== 'string') return []
  const watched = fields.queue !== 'idle'
  return [{ ...tracking, token: fields.token, watched, callClass: classOf(tracking, watched) }]
}

/** Reads a row of the hash of all rows. Its queue says whether the export is watched. */
export const listedFrom = (key: string, text: string): Tracked | undefined => {
  const ref = refFrom(key)
  const fields = fieldsOf(text)
  const tracking = ref && trackingFrom(ref, fields)
  return tracking && { ...tracking, watched: fields.queue !== 'idle' }
}

const KEY = /^([^/]{1,64})\/(cam_[A-Za-z0-9]{1,64})\/([a-z]{3}_[A-Za-z0-9]{1,64})$/

/** Returns the export that `keyOf` has made this key for, or undefined for any other text. */
export const refFrom = (key: unknown): ExportRef | undefined => {
  const [, account, campaignId, exportId] = typeof key === 'string' ? (KEY.exec(key) ?? []) : []
  if (account === undefined || campaignId === undefined || exportId === undefined) return undefined
  return { account, campaignId, exportId }
}

const fieldsOf = (text: unknown): Fields =>
  typeof text === 'string' ? objectFrom(parsed(text)) : {}

const NUMBERS = ['dueAt', 'intervalMs', 'misses', 'failures', 'agedLooks', 'firstSeenAt'] as const
type Numbers = Readonly<Record<(typeof NUMBERS)[number], number>>

const isFiniteNumber = (value: unknown): value is number => Number.isFinite(value)

const hasNumbers = (fields: Fields): fields is Fields & Numbers =>
  NUMBERS.every((name) => isFiniteNumber(fields[name]))

const trackingFrom = (ref: ExportRef, fields: Fields): Tracking | undefined => {
  const { origin } = fields
  if (!isOrigin(origin) || !hasNumbers(fields)) return undefined
  const { dueAt, intervalMs, misses, failures, agedLooks, firstSeenAt } = fields
  // A row of an older version does not say when the last look was.
  const before = dueAt - intervalMs
  const lookedAt = isFiniteNumber(fields.lookedAt) ? fields.lookedAt : before
  return { ref, dueAt, lookedAt, intervalMs, origin, misses, failures, agedLooks, firstSeenAt }
}
