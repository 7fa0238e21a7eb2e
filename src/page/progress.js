// @ts-check

/**
 * How far an export is. lemlist counts each step from zero, so a bar of one step would run backwards
 * whenever the next step begins. The bar of the page is about all six steps.
 *
 * @import { Card } from './card.js'
 */

import { part, write } from './dom.js'
import { diesAt } from './state.js'
import { lifeOf, PROGRESS, sizeOf } from './words.js'

const STEPS = 6

/** lemlist may send `null` in place of a number. @param {unknown} value */
const count = (value) => (typeof value === 'number' && value >= 0 ? value : 0)

/**
 * Sets how much of the bar is full, 0 to 1, and never less than before.
 *
 * @param {Card} card
 */
const advance = (card) => {
  const step = Math.min(STEPS, count(card.fields?.progressIndex))
  const total = count(card.fields?.total)
  const part = total > 0 ? Math.min(1, count(card.fields?.progress) / total) : 0
  // A pending export is never full: lemlist may name the last step before the export is done.
  const now = step > 0 ? Math.min(0.98, (step - 1 + part) / STEPS) : 0
  card.full = Math.max(card.full, now)
}

/** @param {Card} card @param {string} state */
export const renderProgress = (card, state) => {
  const { node, fields } = card
  advance(card)
  const bar = part(node, 'progress', HTMLProgressElement)
  bar.setAttribute('aria-label', PROGRESS.bar)
  if (state === 'done') bar.value = 1
  else if (card.full > 0 || state === 'error') bar.value = card.full
  else bar.removeAttribute('value')
  const index = count(fields?.progressIndex)
  const type = typeof fields?.progressType === 'string' ? fields.progressType : ''
  const isRunning = state === 'pending' || state === 'other'
  const total = isRunning ? count(fields?.total) : 0
  const size = state === 'done' ? count(fields?.fileSize) : 0
  const items = total > 0 ? PROGRESS.items(count(fields?.progress), total) : ''
  write(part(node, '.items', HTMLElement), size > 0 ? PROGRESS.size(sizeOf(size)) : items)
  if (state !== 'done') {
    const words = isRunning ? PROGRESS.step(index, type) : ''
    write(part(node, '.step-text', HTMLElement), words)
  }
}

/** Shows until when the file of an export that is done can be had. @param {Card} card */
export const renderLife = (card) => {
  const life = diesAt(card)
  const leftMs = life - Date.now()
  const words = leftMs > 0 ? PROGRESS.life(lifeOf(leftMs, life)) : PROGRESS.ready
  write(part(card.node, '.step-text', HTMLElement), words)
}
