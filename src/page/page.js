// @ts-check

/**
 * The live page: follows exports on one stream, through the typed client and nothing else.
 *
 * @import { ExportEvent, ExportFields, ExportRef, GatewayProblem } from '../client/client.d.ts'
 */

import { downloadUrl, startExport, watchExports } from '../client.js'

/** As many as one stream carries. */
const MAX_EXPORTS = 100
const STORAGE_KEY = 'lemlist-export-gateway:exports'
const FILE_LIFE_MS = 24 * 60 * 60 * 1000
/** No export lives longer; a start before that is not the start of this one. */
const EXPORT_LIFE_MS = 2 * 60 * 60 * 1000

/** Where the gateway is, under whatever path a proxy has put it. */
const root = new URL('..', import.meta.url)
const baseUrl = root.href.replace(/\/$/, '')

/** What is wrong, for whoever looks at the page; the gateway's own words do for the rest. @type {Record<string, string>} */
const WORDS = {
  'upstream-unavailable': 'lemlist cannot be reached. The gateway keeps trying.',
  'upstream-timeout': 'lemlist takes too long to answer. The gateway keeps trying.',
  'upstream-invalid': 'lemlist said something unusable. The gateway keeps trying.',
  'upstream-credentials':
    'lemlist refuses the key of this gateway. Whoever runs the gateway has to see to it.',
  'budget-exhausted':
    'lemlist allows no more calls right now. The gateway goes on as soon as it may.',
  'export-not-found': 'lemlist does not know this export, or not any more. Are the ids right?',
  'campaign-not-found': 'lemlist does not know this campaign. Is the id right?',
  'export-timed-out': 'It was pending for two hours, and lemlist has given it up. Start a new one.',
  'export-expired': 'Its file was kept for 24 hours and is deleted now. Start a new one.',
  'idempotency-in-progress': 'lemlist has not answered yet whether the export was started.',
  'start-outcome-unknown': 'Nobody knows whether this export was started. Look into lemlist first.',
  disconnected: 'The gateway cannot be reached.',
}
/** What a state means, where its name does not say enough. @type {Record<string, string>} */
const STATE_WORDS = {
  waiting: 'The first answer of lemlist is on its way.',
  error: 'lemlist says that the export failed. Start a new one.',
  expired: 'lemlist keeps a file for 24 hours, and they are over. Start a new export.',
  other: 'lemlist has not documented this state. The gateway goes on looking.',
}

/** @type {Record<string, string>} */
const GONE_NAMES = { 'export-timed-out': 'Timed out', 'export-expired': 'Expired' }
/** @type {Record<string, string>} */
const STATE_NAMES = {
  waiting: 'Waiting',
  pending: 'Pending',
  done: 'Done',
  error: 'Failed',
  expired: 'Expired',
}
/** @type {Record<string, string>} */
const LINE_NAMES = {
  idle: 'Idle',
  connecting: 'Connecting',
  live: 'Live',
  lost: 'Reconnecting',
  complete: 'All finished',
  refused: 'Refused',
}

/**
 * @template {Element} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
const part = (parent, selector, type) => {
  const found = parent.querySelector(selector)
  if (!(found instanceof type)) throw new Error(`the page has no ${selector}`)
  return found
}
/** @param {string} selector */
const element = (selector) => part(document, selector, HTMLElement)
/** @param {string} selector */
const copyOf = (selector) => {
  const copy = document.importNode(part(document, selector, HTMLTemplateElement).content, true)
  return part(copy, 'li', HTMLLIElement)
}

/** Only what changes is written, so that nothing flickers and no reader starts anew. @param {Element} target @param {string} text */
const write = (target, text) => {
  if (target.textContent !== text) target.textContent = text
}
/** @param {string} text */
const announce = (text) => write(element('#announcer'), text)
/** @param {Element} parent @param {string} name */
const sign = (parent, name) => part(parent, 'use', SVGUseElement).setAttribute('href', `#i-${name}`)

/* Words for numbers. */

const numbers = new Intl.NumberFormat('en')
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const clock = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
})

/** @param {number} bytes */
const sizeOf = (bytes) => {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  return `${oneDigit.format(bytes / 1000 ** power)} ${['bytes', 'kB', 'MB', 'GB'][power]}`
}

/** @param {number} ms */
const spanOf = (ms) => {
  const seconds = ms / 1000
  if (seconds < 10) return `${oneDigit.format(seconds)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** @param {GatewayProblem} problem */
const wordsOf = (problem) => WORDS[problem.code] ?? problem.detail

/* The exports. */

/**
 * @typedef {object} Card
 * @property {ExportRef} ref
 * @property {HTMLElement} node
 * @property {number} seenAt
 * @property {string} told what was announced of it last
 * @property {ExportFields} [fields]
 * @property {GatewayProblem} [trouble]
 * @property {GatewayProblem} [gone]
 */

/** @type {Map<string, Card>} */
const cards = new Map()
/** @param {ExportRef} ref */
const keyOf = ({ campaignId, exportId }) => `${campaignId}/${exportId}`

/** @param {Card} card */
const titleOf = ({ fields }) => fields?.campaignName || 'Unnamed campaign'

/** @param {Card} card */
const diesAt = ({ fields }) => Date.parse(fields?.endedAt ?? '') + FILE_LIFE_MS

/** @param {Card} card */
const stateOf = (card) => {
  const { fields, gone } = card
  if (gone) return 'gone'
  if (!fields) return 'waiting'
  if (fields.status === 'done') return diesAt(card) < Date.now() ? 'expired' : 'done'
  return ['pending', 'error'].includes(fields.status) ? fields.status : 'other'
}
/** @param {Card} card */
const nameOf = (card) =>
  STATE_NAMES[stateOf(card)] ??
  (card.gone ? (GONE_NAMES[card.gone.code] ?? 'Not found') : `“${card.fields?.status}”`)

/** Whether nothing more will come. @param {Card} card */
const isOver = (card) => ['done', 'error', 'expired', 'gone'].includes(stateOf(card))

/** @param {Card} card */
const render = (card) => {
  const { node, fields, trouble, gone } = card
  const state = stateOf(card)
  node.dataset.state = state
  sign(part(node, '.token', HTMLElement), state)
  write(part(node, '.name', HTMLElement), titleOf(card))
  write(part(node, '.state', HTMLElement), nameOf(card))
  const full = `${titleOf(card)}, ${card.ref.exportId}`
  for (const [name, words] of Object.entries({
    download: ' of',
    copy: 'Copy link to',
    remove: 'Remove',
  })) {
    write(part(node, `.${name} .quiet`, HTMLElement), `${words} ${full}`)
  }
  renderProgress(card, state)
  const problem = gone ?? (isOver(card) ? undefined : trouble)
  const words = problem ? wordsOf(problem) : (STATE_WORDS[state] ?? '')
  part(node, '.trouble', HTMLElement).hidden = words === ''
  write(part(node, '.trouble-text', HTMLElement), words)
  fact(
    node,
    'size',
    state === 'done' && fields?.fileSize !== undefined ? sizeOf(fields.fileSize) : '',
  )
  part(node, '.download', HTMLElement).hidden = state !== 'done'
  tick(card)
}

/** @param {Card} card @param {string} state */
const renderProgress = ({ node, fields }, state) => {
  part(node, '.track', HTMLElement).hidden = !fields || ['gone', 'expired'].includes(state)
  if (!fields) return
  const { progress = 0, total = 0, progressIndex = 0, progressType } = fields
  const bar = part(node, 'progress', HTMLProgressElement)
  const step = `Step ${progressIndex} of 6`
  bar.setAttribute('aria-label', `Progress of step ${progressIndex}`)
  if (state === 'done') bar.value = 1
  else if (total > 0) bar.value = Math.min(1, progress / total)
  // Nothing is known to be going on in what has failed.
  else if (state === 'error') bar.value = 0
  else bar.removeAttribute('value')
  const known = state !== 'done' && total > 0
  write(
    part(node, '.items', HTMLElement),
    known ? `${numbers.format(progress)} of ${numbers.format(total)}` : '',
  )
  write(part(node, '.step-text', HTMLElement), progressType ? `${step} · ${progressType}` : step)
  for (const [index, pip] of node.querySelectorAll('.pips i').entries()) {
    pip.classList.toggle('on', index < progressIndex)
  }
}

/** @param {HTMLElement} node @param {string} name @param {string} text @param {string} [title] */
const fact = (node, name, text, title) => {
  const row = part(node, `[data-fact=${name}]`, HTMLElement)
  row.hidden = text === ''
  if (title) write(part(row, 'dt', HTMLElement), title)
  write(row.querySelector('time') ?? part(row, 'dd', HTMLElement), text)
}

/** What changes by itself with the time. @param {Card} card */
const tick = (card) => {
  const { node, fields, seenAt } = card
  const state = stateOf(card)
  if (node.dataset.state !== state) return render(card)
  const now = Date.now()
  const startedAt = Date.parse(fields?.startedAt ?? '')
  const endedAt = Date.parse(fields?.endedAt ?? '')
  if (state === 'done' || state === 'expired') {
    const tookMs = endedAt - startedAt
    fact(node, 'elapsed', tookMs >= 0 && tookMs < EXPORT_LIFE_MS ? spanOf(tookMs) : '', 'Took')
  } else if (state === 'pending') {
    const plausible = startedAt <= now && now - startedAt < EXPORT_LIFE_MS
    const forMs = now - (plausible ? startedAt : seenAt)
    fact(node, 'elapsed', spanOf(Math.floor(forMs / 1000) * 1000), 'Running for')
  } else fact(node, 'elapsed', '')
  const life = state === 'done' ? diesAt(card) : Number.NaN
  fact(node, 'life', life > now ? `${spanOf(life - now)} (${clock.format(life)})` : '')
  if (life > now) part(node, 'time', HTMLTimeElement).dateTime = new Date(life).toISOString()
}

/** @param {ExportRef} ref */
const addCard = (ref) => {
  const node = copyOf('#card')
  /** @type {Card} */
  const card = { ref, node, seenAt: Date.now(), told: 'Waiting' }
  cards.set(keyOf(ref), card)
  // A long line breaks between the ids rather than in one.
  const place = document.createElement('wbr')
  part(node, '.ids', HTMLElement).append(`${ref.campaignId}/`, place, ref.exportId)
  const download = part(node, '.download', HTMLAnchorElement)
  download.href = downloadUrl({ baseUrl, ...ref })
  part(node, '.remove', HTMLButtonElement).addEventListener('click', () => remove(card))
  const copy = part(node, '.copy', HTMLButtonElement)
  // A page over plain HTTP has no clipboard.
  copy.hidden = !navigator.clipboard
  copy.addEventListener('click', async () => {
    const link = new URL(`#${keyOf(ref)}`, root).href
    const copied = await navigator.clipboard.writeText(link).then(
      () => true,
      () => false,
    )
    sign(copy, copied ? 'done' : 'trouble')
    announce(copied ? 'Link copied' : 'The link could not be copied')
  })
  render(card)
  return card
}

/** @param {Card} card */
const remove = (card) => {
  const next = card.node.nextElementSibling ?? card.node.previousElementSibling
  cards.delete(keyOf(card.ref))
  card.node.remove()
  changed()
  if (!isOver(card)) void follow()
  announce(`${titleOf(card)} is not followed any more`)
  // Whoever works by keyboard goes on where the button was.
  const button = next?.querySelector('.remove')
  if (button instanceof HTMLElement) button.focus()
  else element('#follow-text').focus()
}

/** @param {readonly ExportRef[]} refs @returns {Card[]} all of them, whether new or not */
const add = (refs) => {
  const fresh = refs.filter((ref) => !cards.has(keyOf(ref)))
  const list = element('#list')
  list.prepend(...fresh.map((ref) => addCard(ref).node))
  if (fresh.length > 0) {
    changed()
    void follow()
  }
  return refs.flatMap((ref) => cards.get(keyOf(ref)) ?? [])
}

/** After the list has changed. */
const changed = () => {
  const keys = [...document.querySelectorAll('#list .ids')].map(({ textContent }) => textContent)
  history.replaceState(null, '', keys.length > 0 ? `#${keys.join(',')}` : root)
  try {
    localStorage.setItem(STORAGE_KEY, keys.join(','))
  } catch {
    // Not allowed here: the address bar remembers as well.
  }
  element('#empty').hidden = cards.size > 0
  summarize()
  for (const button of document.querySelectorAll('.offer')) press(button)
}

/** Shows whether an offer was taken. @param {Element} button */
const press = (button) => {
  const taken = button instanceof HTMLElement && cards.has(button.dataset.key ?? '')
  button.setAttribute('aria-pressed', String(taken))
  sign(button, taken ? 'done' : 'plus')
}

const summarize = () => {
  const counts = Map.groupBy(cards.values(), nameOf)
  const words = [...counts].map(([name, { length }]) => `${length} ${name.toLowerCase()}`)
  write(element('#summary'), words.join(' · '))
  const pending = counts.get('Pending')?.length ?? 0
  document.title = pending > 0 ? `${pending} pending · Campaign exports` : 'Campaign exports'
}

/* The line to the gateway: one stream for all that is not over. */

let watching = new AbortController()

/** @param {string} state @param {string} [words] */
const line = (state, words = '') => {
  element('#line').dataset.line = state
  write(element('#line-word'), LINE_NAMES[state] ?? state)
  element('#notice').hidden = words === ''
  write(element('#notice-text'), words)
  element('#again').hidden = state !== 'refused'
}

const follow = async () => {
  watching.abort()
  watching = new AbortController()
  const { signal } = watching
  const exports = [...cards.values()].filter((card) => !isOver(card)).map(({ ref }) => ref)
  if (exports.length === 0) return line(cards.size > 0 ? 'complete' : 'idle')
  line('connecting')
  try {
    const onOpen = () => line('live')
    const onProblem = (/** @type {GatewayProblem} */ problem) =>
      line('lost', `${wordsOf(problem)} Trying again by itself.`)
    for await (const event of watchExports({ baseUrl, exports, signal, onOpen, onProblem }))
      hear(event)
    line('complete')
  } catch (error) {
    if (!signal.aborted)
      line('refused', `The gateway refuses: ${error instanceof Error ? error.message : error}`)
  }
}

/** @param {ExportEvent} event */
const hear = (event) => {
  const card = cards.get(keyOf(event))
  if (!card) return
  delete card.trouble
  if (event.type === 'status') card.fields = event.body.status
  else if (event.type === 'gone') card.gone = event.problem
  else card.trouble = event.problem
  render(card)
  summarize()
  // A change of state is worth a word, each step of its progress is not.
  const news = event.type === 'problem' ? wordsOf(event.problem) : nameOf(card)
  if (card.told !== news) announce(`${titleOf(card)}: ${news}`)
  card.told = news
}

/* What people ask for. */

const IDS =
  /(?<![A-Za-z0-9_])(cam_[A-Za-z0-9]{1,64})(?:\/export\/|\/|\s+)((?!cam_)[a-z]{3}_[A-Za-z0-9]{1,64})(?![A-Za-z0-9])/g

/** Both ids as they stand in links, paths and lists, each pair once. @param {string} text @returns {ExportRef[]} */
const refsIn = (text) => {
  const refs = [...text.matchAll(IDS)].map(([, campaignId = '', exportId = '']) => ({
    campaignId,
    exportId,
  }))
  return [...new Map(refs.map((ref) => [keyOf(ref), ref])).values()]
}

/** @param {string} form @param {string} words empty: all is well */
const blame = (form, words) => {
  const input = part(document, `#${form}-text`, HTMLInputElement)
  input.setAttribute('aria-invalid', String(words !== ''))
  write(element(`#${form}-fault`), words)
  if (words !== '') input.focus()
}

const hasNoRoom = (/** @type {readonly ExportRef[]} */ refs) =>
  cards.size + refs.filter((ref) => !cards.has(keyOf(ref))).length > MAX_EXPORTS
    ? `This page follows ${MAX_EXPORTS} exports at most. Remove some first.`
    : ''

/** @param {string} name @param {(text: string, button: HTMLButtonElement) => Promise<string> | string} act tells what is wrong */
const onSubmit = (name, act) => {
  const form = part(document, `#${name}`, HTMLFormElement)
  const input = part(form, 'input', HTMLInputElement)
  const button = part(form, 'button', HTMLButtonElement)
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (button.ariaBusy === 'true') return
    button.ariaBusy = 'true'
    const fault = await act(input.value.trim(), button)
    button.ariaBusy = 'false'
    blame(name, fault)
    if (fault === '' && name === 'follow') input.value = ''
  })
}

onSubmit('follow', (text) => {
  const refs = refsIn(text)
  if (refs.length === 0) {
    return /\bcam_/.test(text)
      ? 'That names no export: cam_…/axp_… is needed. To start one, use the other field.'
      : 'No ids in there: cam_…/axp_… is needed, or a link to this page.'
  }
  const full = hasNoRoom(refs)
  if (full !== '') return full
  const [first] = add(refs)
  first?.node.scrollIntoView({ block: 'nearest' })
  announce(refs.length === 1 ? 'Following 1 export' : `Following ${refs.length} exports`)
  return ''
})

onSubmit('start', async (text) => {
  const [campaignId] = /\bcam_[A-Za-z0-9]{1,64}\b/.exec(text) ?? []
  if (campaignId === undefined) return 'That is no id of a campaign: cam_… is needed.'
  if (cards.size >= MAX_EXPORTS)
    return `This page follows ${MAX_EXPORTS} exports at most. Remove some first.`
  try {
    const { id: exportId } = await startExport({ baseUrl, campaignId })
    add([{ campaignId, exportId }])
    announce('Started')
    return ''
  } catch (error) {
    return error instanceof Error && 'code' in error
      ? wordsOf(/** @type {GatewayProblem} */ (error))
      : 'The export could not be started.'
  }
})

element('#again').addEventListener('click', () => void follow())
element('[data-skip]').addEventListener('click', (event) => {
  event.preventDefault()
  element('#list').focus()
})

/** What the sandbox has to look at. */
const offer = async () => {
  const response = await fetch(new URL('page/ready-made.json', root))
  /** @type {(ExportRef & { title: string })[]} */
  const offers = response.ok ? await response.json() : []
  element('#offers').hidden = offers.length === 0
  for (const { title, ...ref } of offers) {
    const node = copyOf('#offer')
    const button = part(node, 'button', HTMLButtonElement)
    const [name = '', text = ''] = title.split(': ')
    write(part(button, '.offer-name', HTMLElement), name)
    write(part(button, '.offer-text', HTMLElement), text)
    button.dataset.key = keyOf(ref)
    press(button)
    button.addEventListener('click', () => {
      const full = hasNoRoom([ref])
      if (full !== '') return blame('follow', full)
      const [card] = add([ref])
      card?.node.scrollIntoView({ block: 'nearest' })
      announce(`Following ${name}`)
    })
    element('#offers-list').append(node)
  }
  const [first] = offers
  const start = part(document, '#start-text', HTMLInputElement)
  if (first && start.value === '') start.value = first.campaignId
}

const remembered = () => {
  try {
    return localStorage.getItem(STORAGE_KEY) ?? ''
  } catch {
    return ''
  }
}

// A link shows what it names first, then what was followed here before.
add(refsIn(`${location.hash} ${remembered()}`).slice(0, MAX_EXPORTS))
changed()
addEventListener('hashchange', () => {
  const refs = refsIn(location.hash)
  if (hasNoRoom(refs) === '') add(refs)
})
setInterval(() => {
  for (const card of cards.values()) tick(card)
}, 1000)
offer().catch(() => {})
