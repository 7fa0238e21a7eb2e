// @ts-check

/**
 * The card of one export: the state of the export as HTML.
 *
 * @import { ExportRef } from '../client/client.d.ts'
 * @import { Followed } from './state.js'
 */

import { downloadUrl } from '../client.js'
import { announce, copyOf, element, part, sign, write } from './dom.js'
import { download } from './download.js'
import { isCurrent } from './line.js'
import { baseUrl, keyOf, root } from './links.js'
import { renderLife, renderProgress } from './progress.js'
import { beganAt, elapsedMs, isOver, nameOf, stateOf, titleOf } from './state.js'
import { problemWords } from './troubles.js'
import { BUTTON_WORDS, DURATION, NEWS, STATE_NAMES, STATE_WORDS, spanOf, timeOf } from './words.js'

/** A name with more letters than this does not fit on its line. */
const LONG_NAME = 36
/** How long the sign of a copied link stays, milliseconds. */
const COPIED_MS = 2000

/**
 * `told` is what the page announced last about the export. `full` is how much of its bar is full, 0
 * to 1. `fault` is why what somebody asked for did not come. `isListed` says that the followed
 * campaign has brought it, and not somebody who asked for this export.
 *
 * @typedef {Followed & { node: HTMLElement, told: string, full: number, fault: string, isListed: boolean }} Card
 */

/** @param {readonly Card[]} cards */
export const refsOf = (cards) => cards.map(({ ref }) => ref)

/** @param {readonly Card[]} cards @returns those that somebody asked for */
export const chosen = (cards) => cards.filter(({ isListed }) => !isListed)

/**
 * @param {ExportRef} ref
 * @param {{ onRemove: (card: Card) => void, onRestart: (card: Card) => void, onChange: () => void }} on
 * @returns {Card}
 */
export const createCard = (ref, on) => {
  const node = copyOf('#card')
  /** @type {Card} */
  const card = {
    ref,
    node,
    seenAt: Date.now(),
    told: STATE_NAMES.waiting ?? '',
    full: 0,
    fault: '',
    isListed: false,
  }
  // A narrow screen breaks the line at this place, and not inside an id.
  const place = document.createElement('wbr')
  part(node, '.ids', HTMLElement).append(`${ref.campaignId}/`, place, ref.exportId)
  const link = part(node, '.download', HTMLAnchorElement)
  link.href = downloadUrl({ baseUrl, ...ref })
  link.addEventListener('click', async (event) => {
    event.preventDefault()
    await fetchFile(card)
    on.onChange()
  })
  onPress(node, '.remove', () => on.onRemove(card))
  onPress(node, '.restart', () => on.onRestart(card))
  onPress(node, '.whole', (button) => {
    const isWhole = node.classList.toggle('open')
    button.setAttribute('aria-expanded', String(isWhole))
  })
  // Browsers give a page that came over plain HTTP no clipboard.
  part(node, '.copy', HTMLButtonElement).hidden = !navigator.clipboard
  onPress(node, '.copy', (button) => copyLink(ref, button))
  render(card)
  return card
}

/**
 * @param {HTMLElement} node
 * @param {string} selector of a button
 * @param {(button: HTMLButtonElement) => void} act
 */
const onPress = (node, selector, act) => {
  const button = part(node, selector, HTMLButtonElement)
  button.addEventListener('click', () => act(button))
}

/** @param {ExportRef} ref @param {HTMLButtonElement} button */
const copyLink = async (ref, button) => {
  const link = new URL(`#${keyOf(ref)}`, root).href
  const copied = await navigator.clipboard.writeText(link).then(
    () => true,
    () => false,
  )
  sign(button, copied ? 'done' : 'trouble')
  announce(copied ? NEWS.copied : NEWS.notCopied)
  setTimeout(() => sign(button, 'link'), COPIED_MS)
}

/** @param {Card} card */
const fetchFile = async (card) => {
  const { fault = '', isExpired } = await download(card.ref)
  if (isExpired) card.gone = { code: 'export-expired', detail: '' }
  renderFault(card, fault)
}

/** Shows why what somebody asked for did not come. @param {Card} card @param {string} fault or '' */
export const renderFault = (card, fault) => {
  card.fault = fault
  announce(fault)
  render(card)
}

/** Shows the state that the export is in now. @param {Card} card */
export const render = (card) => {
  const { node, trouble, gone } = card
  const state = stateOf(card)
  node.dataset.state = state
  sign(part(node, '.token', HTMLElement), state)
  const title = titleOf(card)
  write(part(node, '.name', HTMLElement), title)
  part(node, '.whole', HTMLElement).hidden = title.length <= LONG_NAME
  write(part(node, '.state', HTMLElement), nameOf(card))
  for (const [name, words] of Object.entries(BUTTON_WORDS)) {
    write(part(node, `.${name} .quiet`, HTMLElement), `${words} ${title}, ${card.ref.exportId}`)
  }
  renderProgress(card, state)
  const problem = gone ?? (isOver(card) ? undefined : trouble)
  const usual = problem ? problemWords(problem) : (STATE_WORDS[state] ?? '')
  const words = card.fault || usual
  part(node, '.trouble', HTMLElement).hidden = words === ''
  part(node, '.step', HTMLElement).hidden = words !== ''
  write(part(node, '.trouble-text', HTMLElement), words)
  const began = beganAt(card)
  fact(node, 'began', began > 0 ? timeOf(began) : '')
  if (began > 0) part(node, 'time', HTMLTimeElement).dateTime = new Date(began).toISOString()
  part(node, '.download', HTMLElement).hidden = state !== 'done'
  // lemlist starts nothing for a campaign that it does not know.
  const canRestart = isOver(card) && state !== 'done' && gone?.code !== 'campaign-not-found'
  part(node, '.restart', HTMLElement).hidden = !canRestart
  tick(card)
}

/**
 * Shows the state, and announces a new one. To hear each step of the progress would be too much.
 *
 * @param {Card} card
 */
export const renderNews = (card) => {
  render(card)
  const news = card.trouble ? problemWords(card.trouble) : nameOf(card)
  if (card.told !== news) announce(NEWS.changed(titleOf(card), news))
  card.told = news
}

/**
 * The button that had the focus goes with its card. Without a new place for the focus, people who
 * work by keyboard would begin at the top of the page again.
 *
 * @param {Card} card that is about to go
 * @returns gives the focus to the next card, or to the form
 */
export const focusBeside = ({ node }) => {
  const next = node.nextElementSibling ?? node.previousElementSibling
  const button = next?.querySelector('.remove')
  return () => (button instanceof HTMLElement ? button : element('#add-text')).focus()
}

/** Shows what changes with the time alone. @param {Card} card */
export const tick = (card) => {
  const { node } = card
  const state = stateOf(card)
  // The file of an export can expire while the page is open.
  if (node.dataset.state !== state) return render(card)
  if (state === 'done') renderLife(card)
  const elapsed = elapsedMs(card, Date.now())
  if (elapsed === undefined) fact(node, 'elapsed', '')
  else if (state !== 'pending') fact(node, 'elapsed', spanOf(elapsed), DURATION)
  // While the gateway is away nobody knows whether the export still runs, so the clock stands.
  else if (isCurrent()) {
    fact(node, 'elapsed', spanOf(Math.floor(elapsed / 1000) * 1000), DURATION)
  }
}

/**
 * Shows one of the facts of the card, or hides it when there is no text.
 *
 * @param {HTMLElement} node
 * @param {string} name
 * @param {string} text
 * @param {string} [title]
 */
const fact = (node, name, text, title) => {
  const row = part(node, `[data-fact=${name}]`, HTMLElement)
  row.hidden = text === ''
  if (title) write(part(row, 'dt', HTMLElement), title)
  write(row.querySelector('time') ?? part(row, 'dd', HTMLElement), text)
}
