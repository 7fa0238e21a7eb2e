// @ts-check

/**
 * Where the gateway is, and how the ids of exports stand in links and texts.
 *
 * @import { ExportRef } from '../client/client.d.ts'
 */

/**
 * The address of the page. The page derives it from the address of this module, because a proxy may
 * serve the gateway below a path.
 */
export const root = new URL('..', import.meta.url)
export const baseUrl = root.href.replace(/\/$/, '')

/** @param {ExportRef} ref */
export const keyOf = ({ campaignId, exportId }) => `${campaignId}/${exportId}`

/**
 * Writes into the address what the page follows, so that a copied link shows the same.
 *
 * @param {string} campaignId empty for none
 * @param {(key: string) => boolean} isNamed whether the address names this export of the list
 */
export const showInAddress = (campaignId, isNamed) => {
  const ids = [...document.querySelectorAll('#list .ids')].map(
    ({ textContent }) => textContent ?? '',
  )
  const keys = [campaignId, ...ids.filter(isNamed)].filter((key) => key !== '')
  history.replaceState(null, '', keys.length > 0 ? `#${keys.join(',')}` : root)
}

const PAIR =
  '(?<![A-Za-z0-9_])(cam_[A-Za-z0-9]{1,64})(?:/export/|\\s*[/,;|]\\s*|\\s+)((?!cam_)[a-z]{3}_[A-Za-z0-9]{1,64})(?![A-Za-z0-9])'
const IDS = new RegExp(PAIR, 'g')
/** A pair with what is written around it, such as the rest of a link. */
const TAKEN = new RegExp(`[^\\s,;]*${PAIR}[^\\s,;]*`, 'g')

/** @param {readonly ExportRef[]} refs */
const unique = (refs) => [...new Map(refs.map((ref) => [keyOf(ref), ref])).values()]

/**
 * The exports in lemlist's own JSON, where the id of the export may stand before the campaign's.
 *
 * @param {unknown} value
 * @returns {string[]} each export as the text of its two ids
 */
const pairsIn = (value) => {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.values(value).flatMap(pairsIn)
  const { campaignId, id, _id } = /** @type {Record<string, unknown>} */ (value)
  return campaignId === undefined ? inside : [`${campaignId}/${_id ?? id}`, ...inside]
}

/** @param {string} text @returns {string | undefined} the exports in it when it is JSON */
const fromJson = (text) => {
  try {
    return /^\s*[[{]/.test(text) ? pairsIn(JSON.parse(text)).join(' ') : undefined
  } catch {
    return undefined
  }
}

/**
 * The exports that a text names, each once. Both ids may stand in a link to this page, in a path of
 * the gateway's API, in lemlist's JSON, or side by side.
 *
 * @param {string} text
 * @returns {ExportRef[]}
 */
export const refsIn = (text) =>
  unique(
    [...(fromJson(text) ?? text).matchAll(IDS)].map(([, campaignId = '', exportId = '']) => ({
      campaignId,
      exportId,
    })),
  )

/**
 * The campaign that a piece of a text names without an export: its id alone, or at the end of a link
 * to this page or of a path of the gateway's API.
 *
 * @param {string} piece
 */
export const campaignIn = (piece) =>
  /^(?:\S*[#/])?(cam_[A-Za-z0-9]{1,64})(?:\/(?:exports|events))?\/?$/.exec(piece)?.[1]

/**
 * The campaigns that a text names without an export, each once.
 *
 * @param {string} text
 */
export const campaignsIn = (text) => [
  ...new Set(restOf(text).flatMap((piece) => campaignIn(piece) ?? [])),
]

/**
 * The parts of a text that name no export.
 *
 * @param {string} text
 * @returns {string[]}
 */
export const restOf = (text) =>
  fromJson(text) === undefined
    ? text
        .replaceAll(TAKEN, ' ')
        .split(/[\s,;]+/)
        .filter((piece) => /\w/.test(piece))
    : []
