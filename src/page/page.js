// @ts-check

/**
 * The entry of the live page. The page follows exports on one stream, and it speaks to the gateway
 * through the typed client alone.
 */

import { element } from './dom.js'
import { wireForms } from './forms.js'
import { refsIn } from './links.js'
import { createList } from './list.js'
import { pressOffers, showOffers } from './offers.js'
import { wireSigningIn } from './signing-in.js'

const list = createList(pressOffers)

wireForms(list)
wireSigningIn(list.reconnect)
element('#again').addEventListener('click', list.reconnect)
element('[data-skip]').addEventListener('click', (event) => {
  // The browser would put `#list` into the address, which holds the followed exports.
  event.preventDefault()
  element('#list').focus()
})

list.restore()
addEventListener('hashchange', () => {
  const refs = refsIn(location.hash)
  if (list.hasRoomFor(refs)) list.add(refs)
})
setInterval(list.tick, 1000)
// The page is complete without offers, so a failure is not worth a word.
showOffers(list).catch(() => {})
