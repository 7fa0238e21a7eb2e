// @ts-check

/**
 * What the page knows about one export, and what follows from it: its state, its name, its times.
 *
 * @import { ExportEvent, ExportFields, ExportRef, GatewayProblem } from '../client/client.d.ts'
 */

import { GONE_NAMES, NOT_FOUND, otherName, STATE_NAMES, UNNAMED } from './words.js'

/** lemlist deletes the file of an export 24 hours after the export ended. */
const FILE_LIFE_MS = 24 * 60 * 60 * 1000
/**
 * lemlist gives up an export that is pending for two hours. A time that would make the export older
 * cannot be right, so the page does not use it.
 */
const EXPORT_LIFE_MS = 2 * 60 * 60 * 1000

/**
 * @typedef {object} Followed
 * @property {ExportRef} ref
 * @property {number} seenAt when the page began to follow it, in epoch milliseconds
 * @property {ExportFields} [fields] the last status
 * @property {GatewayProblem} [trouble] why the gateway cannot get the next status at the moment
 * @property {Pick<GatewayProblem, 'code' | 'detail'>} [gone] why there will be no more status
 */

/** @param {Followed} followed @param {ExportEvent} event of the stream about it */
export const learn = (followed, event) => {
  delete followed.trouble
  if (event.type === 'status') followed.fields = event.body.status
  else if (event.type === 'gone') followed.gone = event.problem
  else followed.trouble = event.problem
}

/**
 * Characters without a form of their own. Some of them turn the writing round, so that a name could
 * pass for another one.
 */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** @param {Followed} followed */
export const titleOf = ({ fields }) => {
  const name = fields?.campaignName
  return (typeof name === 'string' && name.replaceAll(UNSEEN, ' ').trim()) || UNNAMED
}

/** When lemlist began the export, in epoch milliseconds, `NaN` when lemlist has not said it. */
export const beganAt = (/** @type {Followed} */ { fields }) => Date.parse(fields?.startedAt ?? '')

/**
 * When lemlist deletes the file, in epoch milliseconds. `NaN` while the export has not ended.
 *
 * @param {Followed} followed
 */
export const diesAt = ({ fields }) => Date.parse(fields?.endedAt ?? '') + FILE_LIFE_MS

/**
 * One of the names in `STATE_NAMES`, `gone`, or `other` for a word that lemlist has not documented.
 *
 * @param {Followed} followed
 */
export const stateOf = (followed) => {
  const { fields, gone } = followed
  if (gone) return 'gone'
  if (!fields) return 'waiting'
  if (fields.status === 'done') return diesAt(followed) < Date.now() ? 'expired' : 'done'
  return ['pending', 'error'].includes(fields.status) ? fields.status : 'other'
}

/** @param {Followed} followed */
export const nameOf = (followed) => {
  const { fields, gone } = followed
  const other = gone ? (GONE_NAMES[gone.code] ?? NOT_FOUND) : otherName(fields?.status)
  return STATE_NAMES[stateOf(followed)] ?? other
}

/**
 * Whether no more events will come for this export.
 *
 * @param {Followed} followed
 */
export const isOver = (followed) => ['done', 'error', 'expired', 'gone'].includes(stateOf(followed))

/**
 * How long a pending export has been running, or how long one took that is done, in milliseconds.
 * `undefined` when the export is in another state, or when its times cannot be right.
 *
 * @param {Followed} followed
 * @param {number} now epoch milliseconds
 */
export const elapsedMs = (followed, now) => {
  const { fields, seenAt } = followed
  const state = stateOf(followed)
  const startedAt = Date.parse(fields?.startedAt ?? '')
  if (state === 'pending') {
    const plausible = startedAt <= now && now - startedAt < EXPORT_LIFE_MS
    return now - (plausible ? startedAt : seenAt)
  }
  if (state !== 'done' && state !== 'expired') return undefined
  const tookMs = Date.parse(fields?.endedAt ?? '') - startedAt
  return tookMs >= 0 && tookMs < EXPORT_LIFE_MS ? tookMs : undefined
}
