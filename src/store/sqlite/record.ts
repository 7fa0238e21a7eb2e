import { createHash } from 'node:crypto'
import type { SQLOutputValue } from 'node:sqlite'
import { keyOf } from '../../exports/export.ts'
import { type Fields, isTime, objectFrom, parsed } from '../../exports/parsed.ts'
import type {
  ExpiredRecord,
  FinalRecord,
  ResultRecord,
  TimedOutRecord,
} from '../../exports/ports.ts'
import { isOrigin, type Row } from '../tracked.ts'

/** A record as it is in the file, without its key and its due time. */
export interface RecordRow {
  readonly record: string
  readonly body: Uint8Array | null
  readonly checksum: Uint8Array
}

type Bodiless =
  | (Omit<FinalRecord, 'snapshot'> & { readonly snapshot: Omit<FinalRecord['snapshot'], 'body'> })
  | TimedOutRecord
  | ExpiredRecord

/** 128 bits. It detects damage, but no forgery: a forger could write the checksum, too. */
const CHECKSUM_BYTES = 16

/** It covers the key, too, so that a record under the key of another export is no record. */
export const checksumOf = (key: string, record: string, body: Uint8Array | null): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([key, record, body === null ? null : body.byteLength]))
    .update(body ?? '')
    .digest()
    .subarray(0, CHECKSUM_BYTES)

/** @param key the export's `keyOf` */
export const encodeRecord = (key: string, record: ResultRecord): RecordRow => {
  const { bodiless, body } = takeBodyOut(record)
  const text = JSON.stringify(bodiless)
  return { record: text, body, checksum: checksumOf(key, text, body) }
}

/** Returns undefined when the row is not, bit for bit, what `encodeRecord` made for this key. */
export const decodeRecord = (
  key: string,
  { record: text, body, checksum }: Record<string, SQLOutputValue>,
): ResultRecord | undefined => {
  if (typeof text !== 'string' || !(checksum instanceof Uint8Array)) return undefined
  if (body !== null && !(body instanceof Uint8Array)) return undefined
  if (!checksumOf(key, text, body).equals(checksum)) return undefined
  // The checksum shows damage. It does not show who wrote the record, so each field is checked.
  const record = bodilessFrom(objectFrom(parsed(text)))
  if (record?.kind !== 'final') return record
  return body === null ? undefined : { ...record, snapshot: { ...record.snapshot, body } }
}

const bodilessFrom = ({ kind, forgetAt, snapshot }: Fields): Bodiless | undefined => {
  if (!isTime(forgetAt)) return undefined
  if (kind === 'timed-out' || kind === 'expired') return { kind, forgetAt }
  const { state, version, observedAt, endOfLife } = objectFrom(snapshot)
  if (kind !== 'final' || (state !== 'done' && state !== 'error')) return undefined
  if (typeof version !== 'string' || !isTime(observedAt) || !isTime(endOfLife)) return undefined
  return { kind, forgetAt, snapshot: { state, version, observedAt, endOfLife } }
}

/** The part of a tracked export that a restart must know. */
export type Followed = Pick<Row, 'ref' | 'origin' | 'firstSeenAt'>

/** @param key the export's `keyOf` */
export const encodeFollowed = (key: string, row: Row): Omit<RecordRow, 'body'> => {
  const { ref, origin, firstSeenAt } = row
  const text = JSON.stringify({ ref, origin, firstSeenAt } satisfies Followed)
  return { record: text, checksum: checksumOf(key, text, null) }
}

/**
 * Returns undefined when the row is not, bit for bit, what `encodeFollowed`, or an older version of
 * the gateway, made for this key.
 */
export const decodeFollowed = (
  key: string,
  { record: text, checksum }: Record<string, SQLOutputValue>,
): Followed | undefined => {
  if (typeof text !== 'string' || !(checksum instanceof Uint8Array)) return undefined
  if (!checksumOf(key, text, null).equals(checksum)) return undefined
  // An older version wrote more fields.
  const { ref, origin, firstSeenAt } = objectFrom(parsed(text))
  const { account, campaignId, exportId } = objectFrom(ref)
  if (typeof account !== 'string' || typeof campaignId !== 'string') return undefined
  if (typeof exportId !== 'string' || !isOrigin(origin) || !isTime(firstSeenAt)) return undefined
  const named = { account, campaignId, exportId }
  return keyOf(named) === key ? { ref: named, origin, firstSeenAt } : undefined
}

const takeBodyOut = (record: ResultRecord): { bodiless: Bodiless; body: Uint8Array | null } => {
  if (record.kind !== 'final') return { bodiless: record, body: null }
  const { body, ...snapshot } = record.snapshot
  return { bodiless: { ...record, snapshot }, body }
}
