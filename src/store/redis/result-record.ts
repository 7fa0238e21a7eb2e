import type { FinalRecord, ResultRecord, TimedOutRecord } from '../../exports/ports.ts'

/**
 * The form of a record in Redis: `1 final STATE VERSION OBSERVED END FORGET` or `1 timed-out FORGET`, a
 * newline, and the body of a final one. The number is the version of the form. Others may write there:
 * whatever does not read exactly so is no record.
 */

/** A body has at most 16 KiB. */
const MAX_VALUE_LENGTH = 24 * 1024

const FINAL = /^1 final (done|error) ([A-Za-z0-9_-]{1,64}) (\d{1,16}) (\d{1,16}) (\d{1,16})$/
const TIMED_OUT = /^1 timed-out (\d{1,16})$/

export const encodeResult = (record: FinalRecord | TimedOutRecord): string => {
  if (record.kind === 'timed-out') return `1 timed-out ${Math.round(record.forgetAt)}\n`
  const { state, version, observedAt, endOfLife, body } = record.snapshot
  const times = [observedAt, endOfLife, record.forgetAt].map(Math.round).join(' ')
  return `1 final ${state} ${version} ${times}\n${Buffer.from(body).toString()}`
}

export const decodeResult = (value: unknown): ResultRecord | undefined => {
  if (typeof value !== 'string' || value.length > MAX_VALUE_LENGTH) return undefined
  const end = value.indexOf('\n')
  const head = value.slice(0, end)
  const timedOut = TIMED_OUT.exec(head)
  if (timedOut !== null) return { kind: 'timed-out', forgetAt: Number(timedOut[1]) }
  const [, state, version, observedAt, endOfLife, forgetAt] = FINAL.exec(head) ?? []
  if (state === undefined || version === undefined) return undefined
  return {
    kind: 'final',
    snapshot: {
      body: Buffer.from(value.slice(end + 1)),
      state,
      version,
      observedAt: Number(observedAt),
      endOfLife: Number(endOfLife),
    },
    forgetAt: Number(forgetAt),
  }
}
