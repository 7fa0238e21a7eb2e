import { isProblemCode } from '../problems.ts'
import { EXPORT_ID, type ExportRef, isFinal, type Snapshot, tells } from './export.ts'
import { type Fields, isTime, objectFrom, parsed } from './parsed.ts'
import type { Update } from './ports.ts'

/** Updates as text, for other replicas, which may run another version of the gateway. */

/** A body has at most 16 KiB, and a third more in base64. */
const MAX_LENGTH = 24 * 1024
/** A detail is a sentence of the gateway's own. A state is a word of lemlist. Each stream is told both. */
const MAX_DETAIL_LENGTH = 1_000
const MAX_STATE_LENGTH = 200
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
/** The version of the form. Replicas ignore other versions: their next look tells them the same. */
const FORM = 1

export const encodeUpdate = (ref: ExportRef, update: Update): string => {
  if (update.kind !== 'status') return JSON.stringify({ form: FORM, ref, update })
  const { body, ...snapshot } = update.snapshot
  const encoded = Buffer.from(body).toString('base64')
  return JSON.stringify({ form: FORM, ref, update: { kind: 'status', snapshot }, body: encoded })
}

/** Returns undefined for text that no gateway has written, because the channel may be shared. */
export const decodeUpdate = (message: string): { ref: ExportRef; update: Update } | undefined => {
  if (message.length > MAX_LENGTH) return undefined
  const { form, ref, update, body } = objectFrom(parsed(message))
  const named = refFrom(objectFrom(ref))
  const said = updateFrom(objectFrom(update), body)
  return form === FORM && named !== undefined && said !== undefined
    ? { ref: named, update: said }
    : undefined
}

const refFrom = ({ account, campaignId, exportId }: Fields): ExportRef | undefined => {
  if (typeof account !== 'string' || !/^[^/]{1,64}$/.test(account)) return undefined
  if (typeof campaignId !== 'string' || !/^cam_[A-Za-z0-9]{1,64}$/.test(campaignId))
    return undefined
  if (typeof exportId !== 'string' || !EXPORT_ID.test(exportId)) return undefined
  return { account, campaignId, exportId }
}

const updateFrom = (update: Fields, body: unknown): Update | undefined => {
  const { kind, code, detail } = update
  if (kind === 'status') return statusFrom(objectFrom(update.snapshot), body)
  if (kind === 'followed') return { kind }
  if (kind !== 'trouble' && kind !== 'gone') return undefined
  if (!isProblemCode(code) || typeof detail !== 'string') return undefined
  if (detail.length > MAX_DETAIL_LENGTH) return undefined
  return { kind, code, detail }
}

const statusFrom = (snapshot: Fields, body: unknown): Update | undefined => {
  const { state, version, observedAt, askedAt, endOfLife } = snapshot
  if (typeof body !== 'string' || !BASE64.test(body) || typeof state !== 'string') return undefined
  if (state.length > MAX_STATE_LENGTH) return undefined
  if (typeof version !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(version)) return undefined
  if (!isTime(observedAt)) return undefined
  // An older version does not say it.
  if (askedAt !== undefined && !(isTime(askedAt) && askedAt <= observedAt)) return undefined
  const known: Snapshot = { body: Buffer.from(body, 'base64'), state, version, observedAt }
  if (!tells(known)) return undefined
  if (!isFinal(known)) {
    return { kind: 'status', snapshot: { ...known, ...(askedAt !== undefined && { askedAt }) } }
  }
  return isTime(endOfLife) ? { kind: 'status', snapshot: { ...known, endOfLife } } : undefined
}
