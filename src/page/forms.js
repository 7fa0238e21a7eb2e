// @ts-check

/**
 * The two forms: one follows exports by their ids, the other starts an export of a campaign.
 *
 * @import { List } from './list.js'
 */

import { announce, element, part, write } from './dom.js'
import { refsIn } from './links.js'
import { start } from './starting.js'
import { FAULTS, NEWS } from './words.js'

/** @param {List} list */
export const wireForms = (list) => {
  onSubmit('follow', (text) => {
    const refs = refsIn(text)
    if (refs.length === 0) return /\bcam_/.test(text) ? FAULTS.noExport : FAULTS.noIds
    return list.show(refs, NEWS.followingMany(refs.length))
  })

  onSubmit('start', async (text) => {
    const [campaignId] = /\bcam_[A-Za-z0-9]{1,64}\b/.exec(text) ?? []
    if (campaignId === undefined) return FAULTS.noCampaign
    const full = list.lackOfRoom()
    if (full !== '') return full
    const started = await start(campaignId)
    if (typeof started === 'string') return started
    list.add([started])
    announce(NEWS.started)
    return ''
  })
}

/**
 * Shows at the field of a form what is wrong with it.
 *
 * @param {string} form
 * @param {string} words empty when nothing is wrong
 */
export const blame = (form, words) => {
  const input = part(document, `#${form}-text`, HTMLInputElement)
  input.setAttribute('aria-invalid', String(words !== ''))
  write(element(`#${form}-fault`), words)
  if (words !== '') input.focus()
}

/**
 * @param {string} name of the form
 * @param {(text: string) => Promise<string> | string} act returns what is wrong, or an empty text
 */
const onSubmit = (name, act) => {
  const form = part(document, `#${name}`, HTMLFormElement)
  const input = part(form, 'input', HTMLInputElement)
  const button = part(form, 'button', HTMLButtonElement)
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    // A second press during a start must not start a second export.
    if (button.ariaBusy === 'true') return
    button.ariaBusy = 'true'
    // The words of the last press are not about this one.
    blame(name, '')
    try {
      const fault = await act(input.value.trim())
      blame(name, fault)
      if (fault === '' && name === 'follow') input.value = ''
    } finally {
      button.ariaBusy = 'false'
    }
  })
}
