// @ts-check

/**
 * The list of followed exports: who is on it, what the stream says about them, and how the browser
 * remembers them.
 *
 * @import { ExportEvent, ExportRef } from '../client/client.d.ts'
 * @import { Card } from './card.js'
 */

import { createCard, render, tick } from './card.js'
import { announce, element, write } from './dom.js'
import { keyOf, refsIn, root } from './links.js'
import { isOver, nameOf, titleOf } from './state.js'
import { createStream } from './stream.js'
import { problemWords } from './troubles.js'
import { FAULTS, NEWS, STATE_NAMES, summaryOf, titleOfPage } from './words.js'

/** The gateway carries at most so many exports on one stream. */
const MAX_EXPORTS = 100
const STORAGE_KEY = 'lemlist-export-gateway:exports'

/** @typedef {ReturnType<typeof createList>} List */

/**
 * @param {(isFollowed: (key: string) => boolean) => void} onChange is called when an export was
 *   added or removed
 */
export const createList = (onChange) => {
  /** @type {Map<string, Card>} */
  const cards = new Map()
  const isFollowed = (/** @type {string} */ key) => cards.has(key)

  /** @param {ExportEvent} event */
  const hear = (event) => {
    const card = cards.get(keyOf(event))
    if (!card) return
    delete card.trouble
    if (event.type === 'status') card.fields = event.body.status
    else if (event.type === 'gone') card.gone = event.problem
    else card.trouble = event.problem
    render(card)
    summarize()
    // The page announces each change of state. To hear each step of the progress would be too much.
    const news = event.type === 'problem' ? problemWords(event.problem) : nameOf(card)
    if (card.told !== news) announce(NEWS.changed(titleOf(card), news))
    card.told = news
  }
  const stream = createStream(hear)

  const reconnect = () => {
    const open = [...cards.values()].filter((card) => !isOver(card))
    if (open.length > 0) void stream.follow(open.map(({ ref }) => ref))
    else stream.rest(cards.size > 0 ? 'complete' : 'idle')
  }

  const summarize = () => {
    const byName = Map.groupBy(cards.values(), nameOf)
    write(element('#summary'), summaryOf(byName))
    document.title = titleOfPage(byName.get(STATE_NAMES.pending ?? '')?.length ?? 0)
  }

  const changed = () => {
    const keys = [...document.querySelectorAll('#list .ids')].map(({ textContent }) => textContent)
    history.replaceState(null, '', keys.length > 0 ? `#${keys.join(',')}` : root)
    remember(keys.join(','))
    element('#empty').hidden = cards.size > 0
    summarize()
    onChange(isFollowed)
  }

  /** @param {Card} card */
  const remove = (card) => {
    const next = card.node.nextElementSibling ?? card.node.previousElementSibling
    cards.delete(keyOf(card.ref))
    card.node.remove()
    changed()
    if (!isOver(card)) reconnect()
    announce(NEWS.removed(titleOf(card)))
    // The button that had the focus is gone. Without a new place for the focus, people who work by
    // keyboard would begin at the top of the page again.
    const button = next?.querySelector('.remove')
    if (button instanceof HTMLElement) button.focus()
    else element('#follow-text').focus()
  }

  /**
   * Puts the exports that are not there yet at the top.
   *
   * @param {readonly ExportRef[]} refs
   */
  const add = (refs) => {
    const fresh = refs.filter((ref) => !isFollowed(keyOf(ref)))
    if (fresh.length === 0) return
    for (const ref of fresh) cards.set(keyOf(ref), createCard(ref, remove))
    element('#list').prepend(...fresh.flatMap((ref) => cards.get(keyOf(ref))?.node ?? []))
    changed()
    reconnect()
  }

  /** @param {readonly ExportRef[]} refs */
  const hasRoomFor = (refs) =>
    cards.size + refs.filter((ref) => !isFollowed(keyOf(ref))).length <= MAX_EXPORTS

  return {
    isFollowed,
    add,
    hasRoomFor,
    reconnect,

    /** What is wrong with starting one more export. Empty when nothing is. */
    lackOfRoom: () => (cards.size < MAX_EXPORTS ? '' : FAULTS.full(MAX_EXPORTS)),

    /**
     * Follows what somebody asked for, and brings the first of it into view.
     *
     * @param {readonly ExportRef[]} refs
     * @param {string} news what screen readers are told
     * @returns what is wrong; empty when nothing is
     */
    show(refs, news) {
      if (!hasRoomFor(refs)) return FAULTS.full(MAX_EXPORTS)
      add(refs)
      const [first] = refs.flatMap((ref) => cards.get(keyOf(ref)) ?? [])
      first?.node.scrollIntoView({ block: 'nearest' })
      announce(news)
      return ''
    },

    /** Follows what the address names, and after that what this browser followed before. */
    restore() {
      add(refsIn(`${location.hash} ${remembered()}`).slice(0, MAX_EXPORTS))
      changed()
    },

    tick() {
      for (const card of cards.values()) tick(card)
    },
  }
}

/** @param {string} keys */
const remember = (keys) => {
  try {
    localStorage.setItem(STORAGE_KEY, keys)
  } catch {
    // Browsers can forbid storage. The address still holds the list.
  }
}

const remembered = () => {
  try {
    return localStorage.getItem(STORAGE_KEY) ?? ''
  } catch {
    return ''
  }
}
