// @ts-check

/**
 * The list that this browser remembers. All tabs of the page have the same list, so a tab writes
 * only its own change into it: it reads the list anew, and then adds or takes away.
 *
 * @import { ExportRef } from '../client/client.d.ts'
 */

import { campaignsIn, keyOf, refsIn } from './links.js'

/** The gateway carries at most so many exports on one stream. */
export const MAX_EXPORTS = 100
const STORAGE_KEY = 'lemlist-export-gateway:exports'
const CAMPAIGN_KEY = 'lemlist-export-gateway:campaign'

export const remembered = () => {
  try {
    return refsIn(localStorage.getItem(STORAGE_KEY) ?? '')
  } catch {
    return []
  }
}

/** Whether this browser lets the page remember anything. Without that, tabs have no common list. */
export const canRemember = () => {
  try {
    localStorage.setItem(`${STORAGE_KEY}:probe`, '')
    localStorage.removeItem(`${STORAGE_KEY}:probe`)
    return true
  } catch {
    return false
  }
}

/**
 * @param {readonly ExportRef[]} refs what somebody has just added to it
 * @param {readonly ExportRef[]} removed what somebody has just taken from it
 */
export const remember = (refs, removed) => {
  const gone = new Set(removed.map(keyOf))
  const all = new Map([...refs, ...remembered()].map((ref) => [keyOf(ref), ref]))
  const keys = [...all.keys()].filter((key) => !gone.has(key)).slice(0, MAX_EXPORTS)
  try {
    localStorage.setItem(STORAGE_KEY, keys.join(','))
  } catch {
    // Browsers can forbid storage. The address still holds the list.
  }
}

/** The campaign that this browser follows, empty without one. */
export const rememberedCampaign = () => {
  try {
    const [campaignId = ''] = campaignsIn(localStorage.getItem(CAMPAIGN_KEY) ?? '')
    return campaignId
  } catch {
    return ''
  }
}

/** @param {string} campaignId empty for none */
export const rememberCampaign = (campaignId) => {
  try {
    localStorage.setItem(CAMPAIGN_KEY, campaignId)
  } catch {
    // Browsers can forbid storage. The address still holds it.
  }
}

/**
 * What a page follows when it is opened, and remembers it: what its address names, and after that
 * what this browser followed before.
 *
 * @param {string} hash of the address
 * @returns `leftOut` is how many exports are too many
 */
export const recall = (hash) => {
  const known = refsIn([...refsIn(hash), ...remembered()].map(keyOf).join(' '))
  const refs = known.slice(0, MAX_EXPORTS)
  const [campaignId = rememberedCampaign()] = campaignsIn(hash)
  remember(refs, [])
  rememberCampaign(campaignId)
  return { refs, leftOut: known.length - refs.length, campaignId }
}

/**
 * @param {(refs: ExportRef[]) => void} hear is called when another tab has changed the list
 * @param {(campaignId: string) => void} hearCampaign is called when it follows another campaign
 */
export const onOtherTab = (hear, hearCampaign) =>
  addEventListener('storage', ({ key }) => {
    if (key === STORAGE_KEY) hear(remembered())
    if (key === CAMPAIGN_KEY) hearCampaign(rememberedCampaign())
  })
