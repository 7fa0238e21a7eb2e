// @ts-check

/**
 * The badge and the notice: what the page knows about its way to the gateway. The stream says how
 * it is. A gateway that hangs says nothing, so the page also looks from time to time whether it
 * answers at all.
 */

import { element, write } from './dom.js'
import { root } from './links.js'
import { NOTICES } from './troubles.js'
import { STREAM_NAMES } from './words.js'

/** How long the gateway may take to answer a look, milliseconds. It asks nobody for the answer. */
const LOOK_MS = 4000
/** The wait between two looks while the gateway is away, milliseconds. */
const AGAIN_MS = 3000
/** The wait between two looks while somebody has the page before them, milliseconds. */
const REGULAR_MS = 5000

let stream = 'idle'
let streamWords = ''
let isAway = false
let onBack = () => {}
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer

/** Whether what the cards show is what the gateway knows now. Nothing is pending without a stream. */
export const isCurrent = () => !isAway && !['lost', 'refused', 'locked', 'paused'].includes(stream)

const render = () => {
  const words = isAway ? NOTICES.away : streamWords
  const state = isAway ? 'away' : stream
  element('#line').dataset.line = state
  write(element('#line-word'), STREAM_NAMES[state] ?? state)
  element('#notice').hidden = words === ''
  write(element('#notice-text'), words)
  element('#again').hidden = !['refused', 'lost', 'away'].includes(state)
}

/** @param {string} state of the stream, a name in `STREAM_NAMES` @param {string} [words] */
export const showStream = (state, words = '') => {
  stream = state
  streamWords = words
  // A stream that opens shows that the gateway is there.
  if (state === 'live') found(true)
  else render()
}

/** @param {boolean} isThere */
const found = (isThere) => {
  clearTimeout(timer)
  const isBack = isAway && isThere
  isAway = !isThere
  // The badge has to change back when the gateway returns, and without a stream nothing tells that.
  if (isAway) timer = setTimeout(look, AGAIN_MS)
  render()
  // The stream would wait half a minute before it tries again.
  if (isBack && stream === 'lost') onBack()
}

/** Looks whether the gateway can be reached, and shows it. @returns {Promise<boolean>} */
export const look = async () => {
  const isThere = await answers()
  found(isThere)
  return isThere
}

/** @param {() => void} reconnect is called when a gateway that was away is back */
export const wireLine = (reconnect) => {
  onBack = reconnect
  element('#again').addEventListener('click', () => {
    reconnect()
    void look()
  })
  setInterval(() => {
    const matters = ['live', 'lost', 'connecting'].includes(stream) && !isAway
    if (matters && document.visibilityState === 'visible') void look()
  }, REGULAR_MS)
}

/** The page asks for a file that belongs to it, because a proxy may hide every other route. */
const answers = async () => {
  try {
    const signal = AbortSignal.timeout(LOOK_MS)
    const url = new URL('page/ready-made.json', root)
    const { ok, headers } = await fetch(url, { cache: 'no-store', signal })
    // A proxy answers for a gateway that is gone. Each answer of the gateway itself has this header.
    return ok || headers.has('x-request-id')
  } catch {
    return false
  }
}
