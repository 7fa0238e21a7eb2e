// @ts-check

/**
 * The way out of the list, and back.
 *
 * @import { createCampaign } from './campaign.js'
 * @import { Card } from './card.js'
 */

import { chosen, refsOf } from './card.js'
import { announce, element } from './dom.js'
import { keyOf } from './links.js'
import { MAX_EXPORTS, remember } from './memory.js'
import { isOver, titleOf } from './state.js'
import { toast } from './toast.js'
import { NEWS } from './words.js'

/**
 * @param {object} list
 * @param {Map<string, Card>} list.cards those on the list, by the ids of their exports
 * @param {ReturnType<typeof createCampaign>} list.campaign
 * @param {(gone: readonly Card[]) => void} list.drop takes cards from the list
 * @param {() => void} list.changed
 * @param {() => void} list.reconnect
 */
export const createRemoving = ({ cards, campaign, drop, changed, reconnect }) => {
  /** @param {readonly Card[]} gone @param {readonly Element[]} before all cards, in their order */
  const putBack = (gone, before) => {
    const back = gone.slice(0, MAX_EXPORTS - chosen([...cards.values()]).length)
    campaign.recall(refsOf(back))
    for (const card of back) {
      if (!cards.has(keyOf(card.ref))) cards.set(keyOf(card.ref), card)
    }
    /** @type {Set<Element>} */
    const nodes = new Set([...cards.values()].map(({ node }) => node))
    element('#list').append(...before.filter((node) => nodes.has(node)))
    remember(refsOf(chosen(back)), [])
    changed()
    if (chosen(back).some((card) => !isOver(card))) reconnect()
    back[0]?.node.focus()
    announce(NEWS.restored)
  }

  /**
   * Takes cards away because somebody wants that, with a way back.
   *
   * @param {readonly Card[]} gone
   * @param {() => void} focus gives the focus to what remains
   */
  return (gone, focus) => {
    const before = [...document.querySelectorAll('#list .card')]
    campaign.dismiss(refsOf(gone))
    drop(gone)
    remember([], refsOf(gone))
    toast(NEWS.removed(gone.map(titleOf)), () => putBack(gone, before))
    focus()
  }
}
