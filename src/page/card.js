// @ts-check

/**
 * The card of one export: the state of the export as HTML.
 *
 * @import { ExportRef, GatewayProblem } from '../client/client.d.ts'
 * @import { Followed } from './state.js'
 */

import { downloadUrl } from '../client.js'
import { fileLink, isSignedIn } from './access.js'
import { announce, copyOf, part, sign, write } from './dom.js'
import { baseUrl, keyOf, root } from './links.js'
import { demandSignIn, isUnauthenticated } from './signing-in.js'
import { diesAt, elapsedMs, isOver, nameOf, stateOf, titleOf } from './state.js'
import { problemWords } from './troubles.js'
import {
  BUTTON_WORDS,
  FAULTS,
  lifeOf,
  NEWS,
  PROGRESS,
  RUNNING_FOR,
  STATE_NAMES,
  STATE_WORDS,
  sizeOf,
  spanOf,
  TOOK,
} from './words.js'

/**
 * `told` is what the page announced last about the export. `fault` is why its file did not come.
 *
 * @typedef {Followed & { node: HTMLElement, told: string, fault?: string }} Card
 */

/**
 * @param {ExportRef} ref
 * @param {(card: Card) => void} onRemove is called when somebody presses the Remove button
 * @returns {Card}
 */
export const createCard = (ref, onRemove) => {
  const node = copyOf('#card')
  /** @type {Card} */
  const card = { ref, node, seenAt: Date.now(), told: STATE_NAMES.waiting ?? '' }
  // A narrow screen breaks the line at this place, and not inside an id.
  const place = document.createElement('wbr')
  part(node, '.ids', HTMLElement).append(`${ref.campaignId}/`, place, ref.exportId)
  const download = part(node, '.download', HTMLAnchorElement)
  download.href = downloadUrl({ baseUrl, ...ref })
  download.addEventListener('click', (event) => {
    if (!isSignedIn()) return
    event.preventDefault()
    void fetchFile(card)
  })
  part(node, '.remove', HTMLButtonElement).addEventListener('click', () => onRemove(card))
  const copy = part(node, '.copy', HTMLButtonElement)
  // Browsers give a page that came over plain HTTP no clipboard.
  copy.hidden = !navigator.clipboard
  copy.addEventListener('click', () => copyLink(ref, copy))
  render(card)
  return card
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
}

/** Fetches the file with a link that is made for it now. @param {Card} card */
const fetchFile = async (card) => {
  delete card.fault
  try {
    // A link with `download` leads to no other page, so its address is not in the history.
    const link = document.createElement('a')
    link.href = await fileLink(card.ref)
    link.download = ''
    link.click()
  } catch (error) {
    if (isUnauthenticated(error)) return demandSignIn(true)
    const problem = /** @type {GatewayProblem} */ (error)
    card.fault = `${FAULTS.noFile} ${problemWords(problem)}`
    announce(card.fault)
  } finally {
    render(card)
  }
}

/** Shows the state that the export is in now. @param {Card} card */
export const render = (card) => {
  const { node, fields, trouble, gone } = card
  const state = stateOf(card)
  node.dataset.state = state
  sign(part(node, '.token', HTMLElement), state)
  write(part(node, '.name', HTMLElement), titleOf(card))
  write(part(node, '.state', HTMLElement), nameOf(card))
  for (const [name, words] of Object.entries(BUTTON_WORDS)) {
    const text = `${words} ${titleOf(card)}, ${card.ref.exportId}`
    write(part(node, `.${name} .quiet`, HTMLElement), text)
  }
  renderProgress(card, state)
  const problem = gone ?? (isOver(card) ? undefined : trouble)
  const words = problem ? problemWords(problem) : (card.fault ?? STATE_WORDS[state] ?? '')
  part(node, '.trouble', HTMLElement).hidden = words === ''
  write(part(node, '.trouble-text', HTMLElement), words)
  const size = state === 'done' ? fields?.fileSize : undefined
  fact(node, 'size', size === undefined ? '' : sizeOf(size))
  part(node, '.download', HTMLElement).hidden = state !== 'done'
  tick(card)
}

/** @param {Card} card @param {string} state */
const renderProgress = ({ node, fields }, state) => {
  part(node, '.track', HTMLElement).hidden = !fields || ['gone', 'expired'].includes(state)
  if (!fields) return
  const { progress = 0, total = 0, progressIndex = 0, progressType } = fields
  const bar = part(node, 'progress', HTMLProgressElement)
  bar.setAttribute('aria-label', PROGRESS.barOf(progressIndex))
  if (state === 'done') bar.value = 1
  else if (total > 0) bar.value = Math.min(1, progress / total)
  // A bar without a value moves. Nothing moves any more in an export that failed.
  else if (state === 'error') bar.value = 0
  else bar.removeAttribute('value')
  const known = state !== 'done' && total > 0
  write(part(node, '.items', HTMLElement), known ? PROGRESS.items(progress, total) : '')
  write(part(node, '.step-text', HTMLElement), PROGRESS.step(progressIndex, progressType))
  for (const [index, pip] of node.querySelectorAll('.pips i').entries()) {
    pip.classList.toggle('on', index < progressIndex)
  }
}

/** Shows what changes with the time alone. @param {Card} card */
export const tick = (card) => {
  const { node } = card
  const state = stateOf(card)
  // The file of an export can expire while the page is open.
  if (node.dataset.state !== state) return render(card)
  const now = Date.now()
  const elapsed = elapsedMs(card, now)
  if (elapsed === undefined) fact(node, 'elapsed', '')
  else if (state === 'pending') {
    fact(node, 'elapsed', spanOf(Math.floor(elapsed / 1000) * 1000), RUNNING_FOR)
  } else fact(node, 'elapsed', spanOf(elapsed), TOOK)
  const life = state === 'done' ? diesAt(card) : Number.NaN
  fact(node, 'life', life > now ? lifeOf(life - now, life) : '')
  if (life > now) part(node, 'time', HTMLTimeElement).dateTime = new Date(life).toISOString()
}

/**
 * Shows one of the facts at the foot of the card, or hides it when there is no text.
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
