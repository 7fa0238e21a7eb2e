// @ts-check

/**
 * The list of followed exports: who is on it, and what the stream says about them.
 *
 * @import { ExportEvent, ExportRef } from '../client/client.d.ts'
 * @import { Card } from './card.js'
 */

import { inBursts } from './bursts.js'
import { createCard, renderNews, tick } from './card.js'
import { announce, element } from './dom.js'
import { keyOf, refsIn, root } from './links.js'
import { MAX_EXPORTS, onOtherTab, remember, remembered } from './memory.js'
import { isOver, titleOf } from './state.js'
import { createStream } from './stream.js'
import { toast } from './toast.js'
import { renderView, showAll, wireView } from './view.js'
import { FAULTS, NEWS } from './words.js'

/** @typedef {ReturnType<typeof createList>} List */

/** @param {readonly Card[]} cards */
const refsOf = (cards) => cards.map(({ ref }) => ref)

/**
 * @param {(isFollowed: (key: string) => boolean) => void} onChange is called when an export was
 *   added or removed
 * @param {(card: Card) => void} onRestart is called when somebody wants a new export in its place
 */
export const createList = (onChange, onRestart) => {
  /** @type {Map<string, Card>} */
  const cards = new Map()
  const isFollowed = (/** @type {string} */ key) => cards.has(key)
  const view = () => renderView([...cards.values()])
  const openOnes = () => [...cards.values()].filter((card) => !isOver(card)).map(({ ref }) => ref)

  /** @param {ExportEvent} event @returns the card that it is about, if somebody still follows it */
  const note = (event) => {
    const card = cards.get(keyOf(event))
    if (!card) return []
    delete card.trouble
    if (event.type === 'status') card.fields = event.body.status
    else if (event.type === 'gone') card.gone = event.problem
    else card.trouble = event.problem
    return [card]
  }
  const hear = inBursts((/** @type {readonly ExportEvent[]} */ events) => {
    for (const card of new Set(events.flatMap(note))) renderNews(card)
    view()
  })
  const stream = createStream(hear)

  const reconnect = () => {
    const open = openOnes()
    if (open.length > 0) stream.follow(open)
    else stream.rest(cards.size > 0 ? 'complete' : 'idle')
  }

  const changed = () => {
    const keys = [...document.querySelectorAll('#list .ids')].map(({ textContent }) => textContent)
    history.replaceState(null, '', keys.length > 0 ? `#${keys.join(',')}` : root)
    view()
    onChange(isFollowed)
  }

  /** @param {readonly Card[]} gone */
  const drop = (gone) => {
    for (const { ref, node } of gone) {
      cards.delete(keyOf(ref))
      node.remove()
    }
    changed()
    if (gone.some((card) => !isOver(card))) reconnect()
  }

  /** Takes cards away, with a way back. @param {readonly Card[]} gone */
  const remove = (gone) => {
    const before = [...document.querySelectorAll('#list .card')]
    drop(gone)
    remember([], refsOf(gone))
    toast(NEWS.removed(gone.map(titleOf)), () => {
      const back = gone.slice(0, MAX_EXPORTS - cards.size)
      for (const card of back) if (!isFollowed(keyOf(card.ref))) cards.set(keyOf(card.ref), card)
      /** @type {Set<Element>} */
      const nodes = new Set([...cards.values()].map(({ node }) => node))
      element('#list').append(...before.filter((node) => nodes.has(node)))
      remember(refsOf(back), [])
      changed()
      if (back.some((card) => !isOver(card))) reconnect()
      back[0]?.node.focus()
      announce(NEWS.restored)
    })
  }

  /** @param {Card} card */
  const onRemove = (card) => {
    const next = card.node.nextElementSibling ?? card.node.previousElementSibling
    remove([card])
    // The button that had the focus is gone. Without a new place for the focus, people who work by
    // keyboard would begin at the top of the page again.
    const button = next?.querySelector('.remove')
    if (button instanceof HTMLElement) button.focus()
    else element('#add-text').focus()
  }

  /**
   * Puts the exports that are not there yet at the top.
   *
   * @param {readonly ExportRef[]} refs
   */
  const put = (refs) => {
    const fresh = refs.filter((ref) => !isFollowed(keyOf(ref)))
    if (fresh.length === 0) return
    for (const ref of fresh) {
      cards.set(keyOf(ref), createCard(ref, { onRemove, onRestart, onChange: view }))
    }
    element('#list').prepend(...fresh.flatMap((ref) => cards.get(keyOf(ref))?.node ?? []))
    changed()
    reconnect()
  }

  /** @param {readonly ExportRef[]} refs */
  const hasRoomFor = (refs) =>
    cards.size + refs.filter((ref) => !isFollowed(keyOf(ref))).length <= MAX_EXPORTS

  wireView(view)
  element('#clear').addEventListener('click', () => {
    remove([...cards.values()].filter(isOver))
    element('#list').focus({ preventScroll: true })
  })
  onOtherTab((refs) => {
    const kept = new Set(refs.map(keyOf))
    const gone = [...cards.values()].filter(({ ref }) => !kept.has(keyOf(ref)))
    if (gone.length > 0) drop(gone)
    put(refs)
  })

  return {
    isFollowed,
    reconnect,
    isEmpty: () => cards.size === 0,
    again: () => stream.again(openOnes()),

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
      showAll()
      remember(refs, [])
      put(refs)
      view()
      const [first] = refs.flatMap((ref) => cards.get(keyOf(ref)) ?? [])
      first?.node.scrollIntoView({ block: 'nearest' })
      announce(news)
      return ''
    },

    /** @param {ExportRef} ref of a card that gets the focus, so that a phone hides its keyboard */
    focus(ref) {
      const node = cards.get(keyOf(ref))?.node
      node?.focus({ preventScroll: true })
      node?.scrollIntoView({ block: 'center' })
    },

    /** Follows what the address names beside what it follows already. */
    follow() {
      const refs = refsIn(location.hash)
      if (!hasRoomFor(refs)) return toast(FAULTS.full(MAX_EXPORTS))
      remember(refs, [])
      put(refs)
    },

    /** Follows what the address names, and after that what this browser followed before. */
    restore() {
      const named = refsIn(location.hash)
      const all = refsIn([...named, ...remembered()].map(keyOf).join(' '))
      const kept = all.slice(0, MAX_EXPORTS)
      remember(kept, [])
      put(kept)
      changed()
      if (all.length > kept.length) toast(NEWS.leftOut(MAX_EXPORTS, all.length - kept.length))
    },

    tick() {
      for (const card of cards.values()) tick(card)
    },
  }
}
