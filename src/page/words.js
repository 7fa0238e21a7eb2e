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
  error: 'lemlist says that the export failed.',
  expired: 'lemlist keeps a file for 24 hours, and they are over.',
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
  paused: 'Paused',
  complete: 'All finished',
  refused: 'Refused',
  locked: 'Not signed in',
  away: 'Unreachable',
}

export const UNNAMED = 'Unnamed campaign'
/** The same word while it runs and afterwards, so that the number behind it stays where it is. */
export const DURATION = 'Duration'
/** What a screen reader adds to the buttons of a card, so that each names its export. */
export const BUTTON_WORDS = {
  download: ' of',
  restart: ' for',
  copy: 'Copy link to',
  remove: 'Remove',
}

/** The texts beside and below the progress bar. */
export const PROGRESS = {
  bar: 'Progress',
  step: (/** @type {number} */ index, /** @type {string} */ type) =>
    [index > 0 ? `Step ${index} of 6` : '', type].filter((words) => words !== '').join(' · '),
  life: (/** @type {string} */ left) => `Link dies in ${left}`,
  ready: 'Ready to download',
  size: (/** @type {string} */ size) => `File of ${size}`,
  items: (/** @type {number} */ done, /** @type {number} */ total) =>
    `${numbers.format(done)} of ${numbers.format(total)}`,
}

/** What the page tells a screen reader about something that sighted people see happen. */
export const NEWS = {
  copied: 'Link copied',
  notCopied: 'The link could not be copied',
  started: 'Started. The new export is the first on the list.',
  following: (/** @type {string} */ what) => `Following ${what}`,
  followingMany: (/** @type {number} */ count) =>
    count === 1 ? 'Following 1 export' : `Following ${count} exports`,
  removed: (/** @type {readonly string[]} */ titles) =>
    titles.length === 1 ? `Removed ${titles[0]}` : `Removed ${titles.length} exports`,
  restored: 'They are back',
  followingCampaign: (/** @type {string} */ id) => `Following the campaign ${id}`,
  left: (/** @type {string} */ id) => `No longer following the campaign ${id}`,
  leftOut: (/** @type {number} */ most, /** @type {number} */ count) =>
    `This page follows ${most} exports at most, so it left out ${count}.`,
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

/** What the panel of the followed campaign says. */
export const CAMPAIGN = {
  unnamed: 'Campaign',
  some: 'Each export that anybody starts through the gateway appears below.',
  none: 'The gateway knows no export of it yet. Each one that anybody starts through it appears below.',
}

/** Why the page does not do what somebody asked for in a form. */
export const FAULTS = {
  full: (/** @type {number} */ most) =>
    `This page follows ${most} exports at most. Remove some first.`,
  noIds: 'No ids in there: cam_…/axp_… is needed, or a link to this page.',
  noExport: 'That names no export: cam_…/axp_… is needed, or cam_… for all exports of a campaign.',
  oneCampaign: 'Those are several campaigns. The page follows one at a time.',
  noCampaign: 'That is no id of a campaign: cam_… is needed.',
  manyCampaigns: 'Those are several campaigns. Start one export at a time.',
  notTaken: (/** @type {readonly string[]} */ pieces) =>
    `Not taken, because it names no export: ${pieces.map((piece) => `“${piece}”`).join(', ')}.`,
  notStarted: 'The export could not be started.',
  noFile: 'The link to the file could not be made.',
  notHere: (/** @type {number | undefined} */ status) =>
    status === undefined
      ? 'The file did not come: the gateway cannot be reached.'
      : `The file did not come (HTTP ${status}). Try again in a moment.`,
}

/** What the page asks before it does something that cannot be undone. */
export const QUESTIONS = {
  exists: {
    words: 'That names an export which exists already.',
    yes: 'Follow it',
    other: 'Start a new one',
  },
  again: {
    words: 'An export of this campaign was started here less than a minute ago.',
    yes: 'Start another',
  },
}

/** @param {number} pending how many of the followed exports are pending */
export const titleOfPage = (pending) =>
  pending > 0 ? `${pending} pending · Campaign exports` : 'Campaign exports'

const numbers = new Intl.NumberFormat('en')
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const began = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const beganEarlier = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
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
 * How long a link still works, and until when. That is always within a day, so the text needs no
 * weekday, and nobody counts the minutes of hours. It fits beside the button of a phone.
 *
 * @param {number} ms how long, in milliseconds
 * @param {number} at epoch milliseconds
 */
export const lifeOf = (ms, at) => {
  const minutes = Math.floor(ms / 60_000)
  const short = minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`
  return `${minutes < 1 ? spanOf(ms) : short} (${began.format(at)})`
}

/** @param {number} at epoch milliseconds */
export const timeOf = (at) => {
  const isToday = new Date(at).toDateString() === new Date().toDateString()
  return (isToday ? began : beganEarlier).format(at)
}
