// @ts-check

/**
 * Every text that the modules of the page show or announce, and how they write sizes and times. The
 * texts that never change are in index.html, and those about trouble are in troubles.js.
 */

/**
 * What a state means, where its name alone does not say enough.
 *
 * @type {Record<string, string>}
 */
export const STATE_WORDS = {
  waiting: 'There is no answer of lemlist yet.',
  error: 'lemlist says that the export failed. Start a new one.',
  expired: 'lemlist keeps a file for 24 hours, and they are over. Start a new export.',
  other: 'lemlist has not documented this state. The gateway goes on looking.',
}

/** @type {Record<string, string>} */
export const STATE_NAMES = {
  waiting: 'Waiting',
  pending: 'Pending',
  done: 'Done',
  error: 'Failed',
  expired: 'Expired',
}

/**
 * The name of an export that lemlist no longer has, by the code of the gateway's problem.
 *
 * @type {Record<string, string>}
 */
export const GONE_NAMES = { 'export-timed-out': 'Timed out', 'export-expired': 'Expired' }
export const NOT_FOUND = 'Not found'

/**
 * The name of a state that lemlist has not documented.
 *
 * @param {string | undefined} status
 */
export const otherName = (status) => `“${status}”`

/**
 * The states of the stream between the gateway and this page.
 *
 * @type {Record<string, string>}
 */
export const STREAM_NAMES = {
  idle: 'Idle',
  connecting: 'Connecting',
  live: 'Live',
  lost: 'Reconnecting',
  complete: 'All finished',
  refused: 'Refused',
  locked: 'Not signed in',
  away: 'Gateway unreachable',
}

export const UNNAMED = 'Unnamed campaign'
export const TOOK = 'Took'
export const RUNNING_FOR = 'Running for'
/** What a screen reader adds to the buttons of a card, so that each names its export. */
export const BUTTON_WORDS = { download: ' of', copy: 'Copy link to', remove: 'Remove' }

/** The texts beside and below the progress bar. */
export const PROGRESS = {
  barOf: (/** @type {number} */ index) => `Progress of step ${index}`,
  step: (/** @type {number} */ index, /** @type {string | undefined} */ type) =>
    type ? `Step ${index} of 6 · ${type}` : `Step ${index} of 6`,
  items: (/** @type {number} */ done, /** @type {number} */ total) =>
    `${numbers.format(done)} of ${numbers.format(total)}`,
}

/** What the page tells a screen reader about something that sighted people see happen. */
export const NEWS = {
  copied: 'Link copied',
  notCopied: 'The link could not be copied',
  started: 'Started',
  following: (/** @type {string} */ what) => `Following ${what}`,
  followingMany: (/** @type {number} */ count) =>
    count === 1 ? 'Following 1 export' : `Following ${count} exports`,
  removed: (/** @type {string} */ title) => `${title} is not followed any more`,
  changed: (/** @type {string} */ title, /** @type {string} */ words) => `${title}: ${words}`,
}

/** What the form says in which somebody signs in. */
export const SIGN_IN = {
  needed: 'The gateway wants to know who you are. There is a form to sign in.',
  ended: 'The gateway does not accept this sign-in any more. Please sign in again.',
  empty: 'Paste a key, a ticket or a token.',
  refused: 'The gateway does not accept this. Is it complete, and still valid?',
  unreachable: 'The gateway cannot be reached. Try again in a moment.',
  done: 'Signed in',
}

/** Why the page does not do what somebody asked for in a form. */
export const FAULTS = {
  full: (/** @type {number} */ most) =>
    `This page follows ${most} exports at most. Remove some first.`,
  noIds: 'No ids in there: cam_…/axp_… is needed, or a link to this page.',
  noExport: 'That names no export: cam_…/axp_… is needed. To start one, use the other field.',
  noCampaign: 'That is no id of a campaign: cam_… is needed.',
  notStarted: 'The export could not be started.',
  noFile: 'The link to the file could not be made.',
}

/** @param {Map<string, readonly unknown[]>} byName the exports by the name of their state */
export const summaryOf = (byName) =>
  [...byName].map(([name, { length }]) => `${length} ${name.toLowerCase()}`).join(' · ')

/** @param {number} pending how many of the followed exports are pending */
export const titleOfPage = (pending) =>
  pending > 0 ? `${pending} pending · Campaign exports` : 'Campaign exports'

const numbers = new Intl.NumberFormat('en')
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const clock = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
})

/** @param {number} bytes */
export const sizeOf = (bytes) => {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  return `${oneDigit.format(bytes / 1000 ** power)} ${['bytes', 'kB', 'MB', 'GB'][power]}`
}

/** @param {number} ms a duration in milliseconds */
export const spanOf = (ms) => {
  const seconds = ms / 1000
  if (seconds < 10) return `${oneDigit.format(seconds)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/**
 * How long a link still works, and until when.
 *
 * @param {number} ms how long, in milliseconds
 * @param {number} at epoch milliseconds
 */
export const lifeOf = (ms, at) => `${spanOf(ms)} (${clock.format(at)})`
