// @ts-check

/**
 * The list of followed exports: who is on it, and what the stream says about them. Those that
 * somebody asked for are remembered. Those that the followed campaign has brought come with it anew.
 *
 * @import { ExportEvent, ExportRef } from '../client/client.d.ts'
 * @import { Card } from './card.js'
 */

import { inBursts } from './bursts.js'
import { createCampaign, MAX_LISTED } from './campaign.js'
import { chosen, createCard, focusBeside, refsOf, renderNews, tick } from './card.js'
import { announce, element } from './dom.js'
import { campaignsIn, keyOf, refsIn, showInAddress } from './links.js'
import * as memory from './memory.js'
import { createRemoving } from './removing.js'
import { isOver, learn } from './state.js'
import { createStream } from './stream.js'
import { toast } from './toast.js'
import { renderView, showAll, wireView } from './view.js'
import { FAULTS, NEWS } from './words.js'

/** @typedef {ReturnType<typeof createList>} List */

/**
 * @param {object} on
 * @param {(isFollowed: (key: string) => boolean) => void} on.change is called when others are on it
 * @param {(card: Card) => void} on.restart is called when somebody wants a new export in its place
 * @param {(campaignId: string) => Promise<{ fault: string }>} on.start is asked for an export
 */
export const createList = (on) => {
  /** @type {Map<string, Card>} */
  const cards = new Map()
  const all = () => [...cards.values()]
  const campaign = createCampaign({
    start: on.start,
    bring: (refs) => putListed(refs),
    card: (ref) => cards.get(keyOf(ref)),
    change: () => drop(all().filter(({ isListed }) => isListed)),
    ready: () => {
      view()
      reconnect()
    },
  })
  const isFollowed = (/** @type {string} */ key) => cards.has(key) || campaign.id() === key
  const view = () => {
    campaign.render(all())
    renderView(all())
  }
  const openOnes = () => refsOf(chosen(all()).filter((card) => !isOver(card)))

  /** @param {ExportEvent} event @returns the card that it is about, if somebody still follows it */
  const note = (event) => {
    const card = cards.get(keyOf(event))
    if (card) learn(card, event)
    return card ?? []
  }
  const hear = inBursts((/** @type {readonly ExportEvent[]} */ events) => {
    putListed(events.filter(campaign.has))
    for (const card of new Set(events.flatMap(note))) renderNews(card)
    view()
  })
  const stream = createStream(hear)

  const reconnect = () => {
    const open = openOnes()
    if (open.length > 0 || campaign.id() !== '') stream.follow(open, campaign.id())
    else stream.rest(cards.size > 0 ? 'complete' : 'idle')
  }

  const changed = () => {
    showInAddress(campaign.id(), (key) => cards.get(key)?.isListed !== true)
    view()
    on.change(isFollowed)
  }

  /** @param {readonly Card[]} gone */
  const drop = (gone) => {
    for (const { ref, node } of gone) {
      cards.delete(keyOf(ref))
      node.remove()
    }
    changed()
    if (chosen(gone).some((card) => !isOver(card))) reconnect()
  }

  const remove = createRemoving({ cards, campaign, drop, changed, reconnect })

  /**
   * Puts the exports that are not there yet at the top.
   *
   * @param {readonly ExportRef[]} refs
   * @param {boolean} isListed
   * @returns whether there were any
   */
  const place = (refs, isListed) => {
    const keys = [...new Set(refs.map(keyOf))].filter((key) => !cards.has(key))
    // The last of them first, so that those on the list longest come first.
    for (const ref of refsIn(keys.toReversed().join(' '))) {
      const onRemove = (/** @type {Card} */ one) => remove([one], focusBeside(one))
      const card = createCard(ref, { onRemove, onRestart: on.restart, onChange: view })
      cards.set(keyOf(ref), Object.assign(card, { isListed }))
    }
    element('#list').prepend(...keys.flatMap((key) => cards.get(key)?.node ?? []))
    if (keys.length > 0) changed()
    return keys.length > 0
  }

  /** @param {readonly ExportRef[]} refs that somebody asked for */
  const put = (refs) => place(refs, false) && reconnect()

  /** @param {readonly ExportRef[]} refs that the campaign has brought: its stream tells of them */
  const putListed = (refs) => {
    place(refs, true)
    const listed = all().filter(({ isListed }) => isListed)
    const surplus = listed.slice(0, Math.max(0, listed.length - MAX_LISTED))
    if (surplus.length === 0) return
    campaign.dismiss(refsOf(surplus))
    drop(surplus)
  }

  /** @param {readonly ExportRef[]} refs */
  const hasRoomFor = (refs) =>
    chosen(all()).length + refs.filter((ref) => !cards.has(keyOf(ref))).length <= memory.MAX_EXPORTS

  wireView(view)
  element('#clear').addEventListener('click', () => {
    remove(all().filter(isOver), () => element('#list').focus({ preventScroll: true }))
  })
  memory.onOtherTab((refs) => {
    const kept = new Set(refs.map(keyOf))
    const gone = chosen(all()).filter(({ ref }) => !kept.has(keyOf(ref)))
    if (gone.length > 0) drop(gone)
    put(refs)
  }, campaign.set)

  return {
    isFollowed,
    followCampaign: campaign.follow,
    /** Asks for everything anew, because somebody has signed in. */
    reload: campaign.reload,
    isEmpty: () => cards.size === 0 && campaign.id() === '',
    again: () => stream.again(openOnes(), campaign.id()),

    /** What is wrong with starting one more export. Empty when nothing is. */
    lackOfRoom: () =>
      chosen(all()).length < memory.MAX_EXPORTS ? '' : FAULTS.full(memory.MAX_EXPORTS),

    /**
     * Follows what somebody asked for, and brings the first of it into view.
     *
     * @param {readonly ExportRef[]} refs
     * @param {string} news what screen readers are told
     * @returns what is wrong; empty when nothing is
     */
    show(refs, news) {
      if (!hasRoomFor(refs)) return FAULTS.full(memory.MAX_EXPORTS)
      showAll()
      campaign.recall(refs)
      memory.remember(refs, [])
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
      const [campaignId] = campaignsIn(location.hash)
      if (campaignId) campaign.follow(campaignId)
      if (!hasRoomFor(refs)) return toast(FAULTS.full(memory.MAX_EXPORTS))
      memory.remember(refs, [])
      put(refs)
    },

    /** Follows what the address names, and after that what this browser followed before. */
    restore() {
      const { refs, leftOut, campaignId } = memory.recall(location.hash)
      put(refs)
      campaign.set(campaignId)
      changed()
      if (leftOut > 0) toast(NEWS.leftOut(memory.MAX_EXPORTS, leftOut))
    },

    tick() {
      for (const card of cards.values()) tick(card)
    },
  }
}
