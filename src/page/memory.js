// @ts-check

/**
 * The list that this browser remembers. All tabs of the page have the same list, so a tab writes
 * only its own change into it: it reads the list anew, and then adds or takes away.
 *
 * @import { ExportRef } from '../client/client.d.ts'
 */

import { keyOf, refsIn } from './links.js'

/** The gateway carries at most so many exports on one stream. */
export const MAX_EXPORTS = 100
const STORAGE_KEY = 'lemlist-export-gateway:exports'

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

/** @param {(refs: ExportRef[]) => void} hear is called when another tab has changed the list */
export const onOtherTab = (hear) =>
  addEventListener('storage', ({ key }) => {
    if (key === STORAGE_KEY) hear(remembered())
  })
