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

const IDS =
  /(?<![A-Za-z0-9_])(cam_[A-Za-z0-9]{1,64})(?:\/export\/|\/|\s+)((?!cam_)[a-z]{3}_[A-Za-z0-9]{1,64})(?![A-Za-z0-9])/g

/**
 * The exports that a text names, each once. Both ids may stand in a link to this page, in a path of
 * the gateway's API, or side by side.
 *
 * @param {string} text
 * @returns {ExportRef[]}
 */
export const refsIn = (text) => {
  const refs = [...text.matchAll(IDS)].map(([, campaignId = '', exportId = '']) => ({
    campaignId,
    exportId,
  }))
  return [...new Map(refs.map((ref) => [keyOf(ref), ref])).values()]
}
