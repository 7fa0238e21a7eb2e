// @ts-check

/**
 * One message at the foot of the window, with a way back where there is one. It lies over the page,
 * so nothing moves when it comes or goes.
 */

import { announce, element, write } from './dom.js'

let undo = () => {}

/** @param {string} words @param {() => void} [back] undoes what the words tell */
export const toast = (words, back) => {
  undo = back ?? (() => {})
  element('#undo').hidden = back === undefined
  write(element('#toast-text'), words)
  element('#toast').hidden = false
  announce(words)
}

export const closeToast = () => {
  element('#toast').hidden = true
}

export const wireToast = () => {
  element('#toast-close').addEventListener('click', () => {
    closeToast()
    element('#list').focus()
  })
  element('#undo').addEventListener('click', () => {
    closeToast()
    undo()
  })
}
