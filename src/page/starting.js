// @ts-check

/**
 * The start of an export, and the truth about it within a few seconds.
 *
 * @import { ExportRef, GatewayProblem } from '../client/client.d.ts'
 * @import { List } from './list.js'
 */

import { startExport } from '../client.js'
import { accessHeaders } from './access.js'
import { ask } from './asking.js'
import { look } from './line.js'
import { baseUrl } from './links.js'
import { demandSignIn, isUnauthenticated } from './signing-in.js'
import { closeToast, toast } from './toast.js'
import { NO_GATEWAY, STILL_STARTING, startWords } from './troubles.js'
import { FAULTS, NEWS, QUESTIONS } from './words.js'

/** How long a start has no answer before the page looks for the gateway, milliseconds. */
const PATIENCE_MS = 3000
/** How long after a start the page asks before it starts the same campaign again, milliseconds. */
const RECENT_MS = 60_000
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
const start = async (campaignId) => {
  const stop = new AbortController()
  const { signal } = stop
  let isOver = false
  let isTold = false
  const timer = setInterval(async () => {
    // The client would try for much longer, and on a dead connection it would wait without an end.
    if (!(await look())) return stop.abort()
    if (isTold || isOver) return
    isTold = true
    toast(STILL_STARTING)
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
    if (isTold) closeToast()
  }
}

/** When this page started the last export of a campaign, epoch milliseconds. @type {Map<string, number>} */
const startedAt = new Map()

/**
 * Starts an export of a campaign and brings it into view, so that nobody presses twice.
 *
 * @param {List} list
 * @param {string} campaignId
 * @returns {Promise<{ fault: string, isStarted: boolean }>}
 */
export const begin = async (list, campaignId) => {
  const full = list.lackOfRoom()
  if (full !== '') return { fault: full, isStarted: false }
  if (Date.now() - (startedAt.get(campaignId) ?? 0) < RECENT_MS) {
    const answer = await ask(QUESTIONS.again.words, QUESTIONS.again)
    if (answer !== 'yes') return { fault: '', isStarted: false }
  }
  const started = await start(campaignId)
  if (typeof started === 'string') return { fault: started, isStarted: false }
  if (startedAt.size >= MAX_KEYS) startedAt.clear()
  startedAt.set(campaignId, Date.now())
  list.show([started], '')
  toast(NEWS.started)
  list.focus(started)
  return { fault: '', isStarted: true }
}
