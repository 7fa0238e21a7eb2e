// @ts-check

/**
 * The form: one field, which follows exports by their ids or starts an export of a campaign.
 *
 * @import { List } from './list.js'
 */

import { ask } from './asking.js'
import { element, part, write } from './dom.js'
import { campaignIn, campaignsIn, refsIn, restOf } from './links.js'
import { begin } from './starting.js'
import { FAULTS, NEWS, QUESTIONS } from './words.js'

/** @typedef {{ fault: string, text: string }} Outcome what is wrong, and what stays in the field */

/** @param {List} list @param {string} text @returns {Outcome} */
const follow = (list, text) => {
  const refs = refsIn(text)
  const [campaignId, ...more] = campaignsIn(text)
  if (more.length > 0) return { fault: FAULTS.oneCampaign, text }
  if (refs.length === 0 && campaignId === undefined) {
    return { fault: /\bcam_/.test(text) ? FAULTS.noExport : FAULTS.noIds, text }
  }
  const full = refs.length > 0 ? list.show(refs, NEWS.followingMany(refs.length)) : ''
  if (full !== '') return { fault: full, text }
  if (campaignId !== undefined) list.followCampaign(campaignId)
  const rest = restOf(text).filter((piece) => campaignIn(piece) === undefined)
  return { fault: rest.length > 0 ? FAULTS.notTaken(rest) : '', text: rest.join(' ') }
}

/** @param {List} list @param {string} text @returns {Promise<Outcome>} */
const start = async (list, text) => {
  if (refsIn(text).length > 0) {
    const answer = await ask(QUESTIONS.exists.words, QUESTIONS.exists)
    if (answer === '') return { fault: '', text }
    if (answer === 'yes') return follow(list, text)
  }
  const campaigns = new Set(text.match(/\bcam_[A-Za-z0-9]{1,64}\b/g))
  const [campaignId] = campaigns
  if (campaignId === undefined) return { fault: FAULTS.noCampaign, text }
  if (campaigns.size > 1) return { fault: FAULTS.manyCampaigns, text }
  const { fault, isStarted } = await begin(list, campaignId)
  // A second press on an empty field starts nothing.
  return { fault, text: isStarted ? '' : text }
}

/** Shows at the field what is wrong with it. @param {string} words empty when nothing is wrong */
export const blame = (words) => {
  const input = part(document, '#add-text', HTMLInputElement)
  input.setAttribute('aria-invalid', String(words !== ''))
  write(element('#add-fault'), words)
  if (words !== '') input.focus()
}

/** @param {List} list */
export const wireForm = (list) => {
  const form = part(document, '#add', HTMLFormElement)
  const input = part(form, 'input', HTMLInputElement)
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const button = event.submitter
    // A second press during a start must not start a second export.
    if (!(button instanceof HTMLButtonElement) || button.ariaBusy === 'true') return
    button.ariaBusy = 'true'
    // The words of the last press are not about this one.
    blame('')
    const before = input.value
    try {
      const act = button.value === 'start' ? start : follow
      const { fault, text } = await act(list, before.trim())
      blame(fault)
      // Whatever somebody has written in the meantime stays.
      if (input.value === before) input.value = text
    } finally {
      button.ariaBusy = 'false'
    }
  })
}
