import { copyOfId } from '../../exports/export.ts'
import type { ExportParams } from './schemas.ts'

/**
 * The quick check of the two ids in a path. Every cached answer needs it, and a look at each character
 * costs a fraction of the regular expressions of the schema.
 */

const PREFIX_CHARS = 4
/** So many letters and digits may follow the prefix. */
const MAX_CHARS = 64

const range = (first: string, last: string) => [first.charCodeAt(0), last.charCodeAt(0)] as const
const [A, Z] = range('A', 'Z')
const [LOW_A, LOW_Z] = range('a', 'z')
const [ZERO, NINE] = range('0', '9')

const isLowerCase = (code: number): boolean => code >= LOW_A && code <= LOW_Z

const isAlphanumeric = (code: number): boolean =>
  isLowerCase(code) || (code >= A && code <= Z) || (code >= ZERO && code <= NINE)

const hasSoundEnd = (id: string): boolean => {
  const { length } = id
  if (length <= PREFIX_CHARS || length > PREFIX_CHARS + MAX_CHARS) return false
  for (let at = PREFIX_CHARS; at < length; at += 1) {
    if (!isAlphanumeric(id.charCodeAt(at))) return false
  }
  return true
}

const hasExportPrefix = (id: string): boolean =>
  isLowerCase(id.charCodeAt(0)) &&
  isLowerCase(id.charCodeAt(1)) &&
  isLowerCase(id.charCodeAt(2)) &&
  id[3] === '_'

interface Known {
  /** What Fastify gives to the route instead of the parameters that it has checked. */
  readonly value: ExportParams
}

/** Those that were found sound last, by the export. Most of them are asked for again and again. */
const known = new Map<string, Known>()
/** About a MiB. With one more, all are checked anew. */
const MAX_KNOWN = 4_000

/** Which part of the bound is used, 0 to 1. */
export const soundIdsUsedPart = (): number => known.size / MAX_KNOWN

/**
 * Returns the two ids of a path if `exportParams` accepts them. For ids that come again these are the same
 * strings each time.
 */
export const soundExportIds = (ids: ExportParams): Known | undefined => {
  const before = known.get(ids.exportId)
  if (before?.value.campaignId === ids.campaignId) return before
  if (!areExportIds(ids)) return undefined
  if (known.size >= MAX_KNOWN) known.clear()
  const value = { campaignId: copyOfId(ids.campaignId), exportId: copyOfId(ids.exportId) }
  const sound = { value: Object.freeze(value) }
  known.set(value.exportId, sound)
  return sound
}

/** Whether `exportParams` accepts these parameters of a path. */
const areExportIds = ({ campaignId, exportId }: ExportParams): boolean =>
  campaignId.startsWith('cam_') &&
  hasSoundEnd(campaignId) &&
  hasExportPrefix(exportId) &&
  hasSoundEnd(exportId)
