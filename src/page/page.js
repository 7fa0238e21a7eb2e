// @ts-check

/**
 * The entry of the live page. The page follows exports on one stream, and it speaks to the gateway
 * through the typed client alone.
 */

import { renderFault } from './card.js'
import { element } from './dom.js'
import { wireForm } from './forms.js'
import { wireLine } from './line.js'
import { createList } from './list.js'
import { pressOffers, showOffers } from './offers.js'
import { wireSigningIn } from './signing-in.js'
import { begin } from './starting.js'
import { wireToast } from './toast.js'

/** @type {import('./list.js').List} */
const list = createList({
  change: pressOffers,
  restart: async (card) => {
    const { fault } = await begin(list, card.ref.campaignId)
    renderFault(card, fault)
  },
  start: (campaignId) => begin(list, campaignId),
})

wireForm(list)
wireToast()
wireLine(list.again)
wireSigningIn(list.reload)
element('[data-skip]').addEventListener('click', (event) => {
  // The browser would put `#list` into the address, which holds the followed exports.
  event.preventDefault()
  element('#list').focus()
})

list.restore()
addEventListener('hashchange', list.follow)
setInterval(list.tick, 1000)
// The page is complete without offers, so a failure is not worth a word.
showOffers(list).catch(() => {})
