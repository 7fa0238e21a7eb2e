// @ts-check

/**
 * The sentences for everything that can go wrong between this page, the gateway and lemlist.
 *
 * @import { GatewayProblem } from '../client/client.d.ts'
 */

/**
 * Trouble with lemlist, by the code of the gateway's problem. What happens next depends on what was
 * asked for: the gateway repeats a look, and it never repeats a start.
 *
 * @type {Record<string, string>}
 */
const TROUBLES = {
  'upstream-unavailable': 'lemlist cannot be reached.',
  'upstream-timeout': 'lemlist takes too long to answer.',
  'upstream-invalid': 'lemlist said something unusable.',
}

/**
 * What else went wrong, by the code of the gateway's problem.
 *
 * @type {Record<string, string>}
 */
const PROBLEMS = {
  'upstream-credentials':
    'lemlist refuses the key of this gateway. Whoever runs the gateway has to see to it.',
  'budget-exhausted':
    'lemlist allows no more calls right now. The gateway goes on as soon as it may.',
  'export-not-found': 'lemlist does not know this export, or not any more.',
  'campaign-not-found':
    'lemlist does not know this campaign, or you may not see it. Is the id right?',
  'export-timed-out': 'It was pending for two hours, and lemlist has given it up.',
  'export-expired': 'Its file was kept for 24 hours and is deleted now.',
  forbidden: 'What you signed in with does not allow this.',
  'rate-limited': 'You have asked the gateway too often. It answers again within a minute.',
  disconnected: 'The gateway cannot be reached.',
  'unexpected-answer': 'Another server answered in place of the gateway.',
}

/**
 * The sentence for a problem of an export that is followed. For a code without a sentence here the
 * page shows the gateway's own.
 *
 * @param {Pick<GatewayProblem, 'code' | 'detail'>} problem
 */
export const problemWords = ({ code, detail }) => {
  const trouble = TROUBLES[code]
  return trouble ? `${trouble} The gateway keeps trying.` : (PROBLEMS[code] ?? detail)
}

/**
 * What went wrong with a start, where other words are true than for an export that is followed.
 *
 * @type {Record<string, string>}
 */
const START_PROBLEMS = {
  ...TROUBLES,
  'budget-exhausted': 'lemlist allows no more calls right now, so nothing was started.',
  'idempotency-in-progress': 'lemlist has not answered yet whether the export was started.',
  'start-outcome-unknown':
    'Nobody knows whether this export was started. Look into lemlist first: the next press starts a new one.',
}

/**
 * The page sends the key of the first press again. So the gateway tells how the first start went, or
 * says that nobody knows it. It starts an export only when the first press has started none.
 */
const PRESS_AGAIN =
  'The gateway does not repeat a start. Press Start to try again: that makes no second export.'
const MAY_HAVE_BEGUN =
  'lemlist may have begun an export all the same. Look into lemlist before you press Start again.'

/**
 * The sentences for a start that went wrong.
 *
 * @param {GatewayProblem} problem
 */
export const startWords = ({ code, detail, retryable }) => {
  const words = START_PROBLEMS[code] ?? PROBLEMS[code] ?? detail
  if (retryable) return `${words} ${PRESS_AGAIN}`
  return code in TROUBLES ? `${words} ${MAY_HAVE_BEGUN}` : words
}

/** What the page writes while a start takes long, and the gateway is there. */
export const STILL_STARTING = 'The gateway is there. It still waits for the answer of lemlist.'

/** What the page writes when a start has no answer and the gateway is not there. */
export const NO_GATEWAY = `The gateway did not answer. ${PRESS_AGAIN}`

/** What the page writes about the stream as a whole, above the list. */
export const NOTICES = {
  lost: (/** @type {GatewayProblem} */ problem) =>
    `${problemWords(problem)} Trying again by itself.`,
  refused: (/** @type {unknown} */ error) =>
    error instanceof Error && 'code' in error && error.code === 'unexpected-answer'
      ? `${PROBLEMS['unexpected-answer']} This page does not try again by itself.`
      : `The gateway refuses: ${error instanceof Error ? error.message : error}`,
  away: 'The gateway cannot be reached. This page looks every few seconds whether it is back.',
}
