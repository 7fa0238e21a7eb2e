// @ts-check

/**
 * The exports that the sandbox offers for trying out. Any other gateway offers none.
 *
 * @import { List } from './list.js'
 */

import { copyOf, element, part, sign, write } from './dom.js'
import { blame } from './forms.js'
import { keyOf, root } from './links.js'
import { NEWS } from './words.js'

/** @param {List} list */
export const showOffers = async (list) => {
  const response = await fetch(new URL('page/ready-made.json', root))
  /** @type {{ title: string, campaignId: string, exportId?: string }[]} */
  const offers = response.ok ? await response.json() : []
  element('#offers').hidden = offers.length === 0
  for (const { title, campaignId, exportId } of offers) {
    const node = copyOf('#offer')
    const button = part(node, 'button', HTMLButtonElement)
    const [name = '', text = ''] = title.split(': ')
    write(part(button, '.offer-name', HTMLElement), name)
    write(part(button, '.offer-text', HTMLElement), text)
    button.dataset.key = exportId ? keyOf({ campaignId, exportId }) : campaignId
    button.addEventListener('click', () => {
      if (!exportId) return list.followCampaign(campaignId)
      const fault = list.show([{ campaignId, exportId }], NEWS.following(name))
      if (fault !== '') blame(fault)
    })
    element('#offers-list').append(node)
  }
  pressOffers(list.isFollowed)
  const [first] = offers
  const field = part(document, '#add-text', HTMLInputElement)
  if (first && field.value === '' && list.isEmpty()) field.value = first.campaignId
}

/**
 * Shows which offers are on the list.
 *
 * @param {(key: string) => boolean} isFollowed
 */
export const pressOffers = (isFollowed) => {
  for (const button of document.querySelectorAll('.offer')) {
    const taken = button instanceof HTMLElement && isFollowed(button.dataset.key ?? '')
    button.setAttribute('aria-pressed', String(taken))
    sign(button, taken ? 'done' : 'plus')
  }
}
