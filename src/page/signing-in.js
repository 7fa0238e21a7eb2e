// @ts-check

/**
 * The form in which somebody signs in. It appears when the gateway wants to know who calls, and goes
 * when the gateway has accepted the answer.
 */

import { accessHeaders, isSignedIn, lastAccount, setAccess } from './access.js'
import { announce, element, part, write } from './dom.js'
import { root } from './links.js'
import { SIGN_IN } from './words.js'

let onSignedIn = () => {}

/** @param {() => void} then is called after every sign-in */
export const wireSigningIn = (then) => {
  onSignedIn = then
  renderSignOut()
  element('#sign-out').addEventListener('click', () => {
    setAccess(undefined)
    // A new page holds nothing of what the old one was shown.
    location.reload()
  })
}

/** @param {unknown} error that the client has thrown */
export const isUnauthenticated = (error) =>
  error instanceof Error && 'code' in error && error.code === 'unauthenticated'

const renderSignOut = () => {
  element('#sign-out').hidden = !isSignedIn()
}

/**
 * Shows the form, because the gateway has refused a request with 401.
 *
 * @param {boolean} isAsked whether somebody waits for it. Then the form gets the focus. Nobody is
 *   torn from what they are doing when a stream is refused.
 */
export const demandSignIn = (isAsked) => {
  const words = isSignedIn() ? SIGN_IN.ended : ''
  const account = lastAccount()
  setAccess(undefined)
  renderSignOut()
  const form = document.querySelector('#sign-in') ?? createForm(account)
  if (words !== '') write(part(form, '.fault', HTMLElement), words)
  if (isAsked) part(form, '#credential', HTMLInputElement).focus()
  announce(SIGN_IN.needed)
}

/** @param {string} account */
const createForm = (account) => {
  const template = part(document, '#sign-in-template', HTMLTemplateElement)
  const copy = document.importNode(template.content, true)
  const form = part(copy, '#sign-in', HTMLFormElement)
  part(form, '#account', HTMLInputElement).value = account
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void submit(form)
  })
  element('.desk').before(copy)
  return form
}

/** @param {HTMLFormElement} form */
const submit = async (form) => {
  const input = part(form, '#credential', HTMLInputElement)
  const button = part(form, 'button', HTMLButtonElement)
  if (button.ariaBusy === 'true') return
  button.ariaBusy = 'true'
  const account = part(form, '#account', HTMLInputElement).value.trim()
  const access = { credential: input.value.trim(), account }
  const fault = access.credential === '' ? SIGN_IN.empty : await faultOf(access)
  button.ariaBusy = 'false'
  write(part(form, '.fault', HTMLElement), fault)
  input.setAttribute('aria-invalid', String(fault !== ''))
  if (fault !== '') return input.focus()
  setAccess(access)
  renderSignOut()
  form.remove()
  // The field that had the focus is gone, and the work goes on here.
  element('#add-text').focus()
  announce(SIGN_IN.done)
  onSignedIn()
}

/**
 * Asks the gateway for a stream of no exports. The gateway refuses that with 400, but only after it
 * has accepted the credential.
 *
 * @param {import('./access.js').Access} access
 * @returns what is wrong; empty when nothing is
 */
const faultOf = async (access) => {
  const over = new AbortController()
  try {
    const { signal } = over
    // A credential with a character that no header may have makes `fetch` throw.
    const headers = new Headers(accessHeaders(access))
    const answer = await fetch(new URL('events', root), { headers, signal }).catch(() => undefined)
    if (answer === undefined) return SIGN_IN.unreachable
    if (answer.status === 401) return SIGN_IN.refused
    return answer.status === 403 ? (await answer.json()).detail : ''
  } catch {
    return SIGN_IN.refused
  } finally {
    over.abort()
  }
}
