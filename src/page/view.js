// @ts-check

/**
 * Which of the followed exports somebody wants to see, and how many there are of each kind.
 *
 * @import { Card } from './card.js'
 */

import { element, part, write } from './dom.js'
import { keyOf } from './links.js'
import { stateOf, titleOf } from './state.js'
import { titleOfPage } from './words.js'

/** From so many exports on, a field to find one is worth its place. */
const MANY = 8

/** @type {Record<string, readonly string[]>} */
const KINDS = {
  running: ['waiting', 'pending', 'other'],
  ready: ['done'],
  ended: ['error', 'expired', 'gone'],
}

let shown = 'all'
let sought = ''

/** @param {Card} card */
const matches = (card) => {
  if (shown !== 'all' && !KINDS[shown]?.includes(stateOf(card))) return false
  return sought === '' || `${titleOf(card)} ${keyOf(card.ref)}`.toLowerCase().includes(sought)
}

/** @param {readonly Card[]} cards */
export const renderView = (cards) => {
  /** @type {Record<string, number>} */
  const counts = { all: cards.length }
  for (const [kind, states] of Object.entries(KINDS)) {
    counts[kind] = cards.filter((card) => states.includes(stateOf(card))).length
  }
  for (const button of document.querySelectorAll('[data-show]')) {
    if (!(button instanceof HTMLElement)) continue
    const kind = button.dataset.show ?? ''
    write(part(button, 'b', HTMLElement), String(counts[kind] ?? 0))
    button.setAttribute('aria-pressed', String(kind === shown))
  }
  // A filter that is not on the screen any more must not hide anything.
  if (cards.length < MANY) sought = ''
  const matching = cards.filter((card) => {
    const isMatch = matches(card)
    if (card.node.hidden === isMatch) card.node.hidden = !isMatch
    return isMatch
  })
  element('#empty').hidden = cards.length > 0 || !element('#campaign').hidden
  element('#bar').hidden = cards.length === 0
  element('#find').hidden = cards.length < MANY
  element('#none').hidden = cards.length === 0 || matching.length > 0
  const over = (counts.ready ?? 0) + (counts.ended ?? 0)
  part(document, '#clear', HTMLButtonElement).disabled = over === 0
  document.title = titleOfPage(cards.filter((card) => stateOf(card) === 'pending').length)
}

/** Shows all of them, because a new one must be seen. */
export const showAll = () => {
  shown = 'all'
  sought = ''
  part(document, '#find', HTMLInputElement).value = ''
}

/** @param {() => void} onChange is called when somebody wants to see others */
export const wireView = (onChange) => {
  for (const button of document.querySelectorAll('[data-show]')) {
    button.addEventListener('click', () => {
      shown = (button instanceof HTMLElement && button.dataset.show) || 'all'
      onChange()
    })
  }
  const find = part(document, '#find', HTMLInputElement)
  find.addEventListener('input', () => {
    sought = find.value.trim().toLowerCase()
    onChange()
  })
}
