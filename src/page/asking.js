// @ts-check

/** A question that stands over the page until somebody answers it. */

import { element, part, write } from './dom.js'

/**
 * @param {string} words
 * @param {{ yes: string, other?: string }} answers the words on the buttons
 * @returns {Promise<'yes' | 'other' | ''>} empty when somebody cancels
 */
export const ask = (words, { yes, other = '' }) => {
  const dialog = part(document, '#ask', HTMLDialogElement)
  write(element('#ask-text'), words)
  write(element('#ask-yes'), yes)
  write(element('#ask-other'), other)
  element('#ask-other').hidden = other === ''
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((resolve) => {
    const answer = () => {
      const { returnValue } = dialog
      resolve(returnValue === 'yes' || returnValue === 'other' ? returnValue : '')
    }
    dialog.addEventListener('close', answer, { once: true })
  })
}
