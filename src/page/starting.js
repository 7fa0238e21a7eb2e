// @ts-check

/**
 * The start of an export, and the truth about it within a few seconds.
 *
 * @import { ExportRef, GatewayProblem } from '../client/client.d.ts'
 */

import { startExport } from '../client.js'
import { accessHeaders } from './access.js'
import { announce, element, write } from './dom.js'
import { look } from './line.js'
import { baseUrl } from './links.js'
import { demandSignIn, isUnauthenticated } from './signing-in.js'
import { NO_GATEWAY, STILL_STARTING, startWords } from './troubles.js'
import { FAULTS } from './words.js'

/** How long a start has no answer before the page looks for the gateway, milliseconds. */
const PATIENCE_MS = 3000
/** How many campaigns the page keeps a key for. Nobody presses Start for more of them in a row. */
const MAX_KEYS = 100

/**
 * The keys of starts whose outcome is open, by campaign. The next press sends the same key, so that
 * it cannot start a second export by accident.
 *
 * @type {Map<string, string>}
 */
const keys = new Map()

/** @param {string} campaignId */
const keyFor = (campaignId) => {
  const [oldest = ''] = keys.keys()
  if (keys.size >= MAX_KEYS && !keys.has(campaignId)) keys.delete(oldest)
  // `crypto.randomUUID` is missing on pages that are served by plain HTTP.
  const key = keys.get(campaignId) ?? crypto.getRandomValues(new Uint32Array(4)).join('-')
  keys.set(campaignId, key)
  return key
}

/**
 * @param {string} campaignId
 * @returns {Promise<ExportRef | string>} the new export, or the words for what went wrong; no words
 *   when the form to sign in says it
 */
export const start = async (campaignId) => {
  const stop = new AbortController()
  const { signal } = stop
  const hint = element('#start-hint')
  const usual = hint.textContent
  let isOver = false
  const timer = setInterval(async () => {
    // The client would try for much longer, and on a dead connection it would wait without an end.
    if (!(await look())) return stop.abort()
    if (hint.textContent !== usual || isOver) return
    write(hint, STILL_STARTING)
    announce(STILL_STARTING)
  }, PATIENCE_MS)
  try {
    const options = { baseUrl, headers: accessHeaders, signal }
    const idempotencyKey = keyFor(campaignId)
    const { id: exportId } = await startExport({ ...options, campaignId, idempotencyKey })
    keys.delete(campaignId)
    return { campaignId, exportId }
  } catch (error) {
    if (signal.aborted) return NO_GATEWAY
    // Whoever signs in presses Start again.
    if (isUnauthenticated(error)) {
      demandSignIn(true)
      return ''
    }
    if (!(error instanceof Error && 'code' in error)) return FAULTS.notStarted
    const problem = /** @type {GatewayProblem} */ (error)
    // The gateway has said how the start went, so the next press is a new start.
    if (!problem.retryable) keys.delete(campaignId)
    // No answer, or that of a proxy: the badge has to say it, too.
    if (['disconnected', 'unexpected-answer'].includes(problem.code)) await look()
    return startWords(problem)
  } finally {
    isOver = true
    clearInterval(timer)
    write(hint, usual)
  }
}
