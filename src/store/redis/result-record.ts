import { createHash } from 'node:crypto'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { FinalRecord, ResultRecord, TimedOutRecord } from '../../exports/ports.ts'

/**
 * The form of a record in Redis: `1 final STATE VERSION OBSERVED END FORGET SUM` or
 * `1 timed-out FORGET SUM`, then a newline, then the body of a final record in base64. The first
 * number is the version of the form. SUM is a hash of all the rest and of the export's key. Other
 * programs may write to Redis, so text that is not exactly of this form is no record.
 */

/** A body has at most 16 KiB, and a third more in base64. */
export const MAX_VALUE_LENGTH = 24 * 1024

const FINAL = /^1 final (done|error) ([A-Za-z0-9_-]{1,64}) (\d{1,16}) (\d{1,16}) (\d{1,16})$/
const TIMED_OUT = /^1 timed-out (\d{1,16})$/

const sumOf = (ref: ExportRef, head: string, body: string): string =>
  createHash('sha256')
    .update([keyOf(ref), head, body].join('\n'))
    .digest('base64url')
    .slice(0, 22)

export const encodeResult = (ref: ExportRef, record: FinalRecord | TimedOutRecord): string => {
  const { head, body } = partsOf(record)
  return `${head} ${sumOf(ref, head, body)}\n${body}`
}

const partsOf = (record: FinalRecord | TimedOutRecord): { head: string; body: string } => {
  const forgetAt = Math.round(record.forgetAt)
  if (record.kind === 'timed-out') return { head: `1 timed-out ${forgetAt}`, body: '' }
  const { state, version, observedAt, endOfLife, body } = record.snapshot
  const times = `${Math.round(observedAt)} ${Math.round(endOfLife)} ${forgetAt}`
  return {
    head: `1 final ${state} ${version} ${times}`,
    body: Buffer.from(body).toString('base64'),
  }
}

export const decodeResult = (ref: ExportRef, value: string): ResultRecord | undefined => {
  if (value.length > MAX_VALUE_LENGTH) return undefined
  const [, head = '', sum, body = ''] = /^(.*) (\S+)\n(.*)$/s.exec(value) ?? []
  if (sum !== sumOf(ref, head, body)) return undefined
  const timedOut = TIMED_OUT.exec(head)
  if (timedOut !== null) return { kind: 'timed-out', forgetAt: Number(timedOut[1]) }
  const [, state, version, observedAt, endOfLife, forgetAt] = FINAL.exec(head) ?? []
  if (state === undefined || version === undefined) return undefined
  return {
    kind: 'final',
    snapshot: {
      body: Buffer.from(body, 'base64'),
      state,
      version,
      observedAt: Number(observedAt),
      endOfLife: Number(endOfLife),
    },
    forgetAt: Number(forgetAt),
  }
}
