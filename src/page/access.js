// @ts-check

/**
 * What somebody signed in with: a key, a ticket or a token. The browser keeps it for this tab alone,
 * and forgets it when the tab is closed. It stands in no address.
 *
 * @import { ExportRef } from '../client/client.d.ts'
 */

import { createTicket, downloadLink } from '../client.js'
import { baseUrl } from './links.js'

const STORAGE_KEY = 'lemlist-export-gateway:access'
/** How long the link to a file works after somebody pressed Download, seconds. */
const LINK_LIFE_S = 60

/** @typedef {{ credential: string, account: string }} Access */

/** @returns {Access | undefined} */
const remembered = () => {
  try {
    return JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? '') ?? undefined
  } catch {
    return undefined
  }
}

let current = remembered()

export const isSignedIn = () => current !== undefined
/** The account that was chosen last, so that nobody has to type it twice. */
export const lastAccount = () => current?.account ?? ''

/** @param {Access | undefined} access nothing signs out */
export const setAccess = (access) => {
  current = access
  try {
    if (access) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(access))
    else sessionStorage.removeItem(STORAGE_KEY)
  } catch {
    // Browsers can forbid storage. Then the sign-in lasts until the page is loaded again.
  }
}

/** The headers of every request. @returns {Record<string, string>} */
export const accessHeaders = (access = current) => ({
  ...(access && { authorization: `Bearer ${access.credential}` }),
  ...(access?.account && { 'x-lemlist-account': access.account }),
})

/**
 * Whether the credential is a ticket of the gateway. Tickets are JWTs that are signed with HS256. A
 * token of an identity provider never is: the gateway would refuse it.
 *
 * @param {string} credential
 */
const isTicket = (credential) => {
  try {
    const [head = ''] = credential.split('.')
    return JSON.parse(atob(head.replaceAll('-', '+').replaceAll('_', '/'))).alg === 'HS256'
  } catch {
    return false
  }
}

/**
 * The link to the file of an export. A link cannot send headers, so it has a ticket in it, which
 * opens this file alone and ends soon. A key or a token is never in it.
 *
 * @param {ExportRef} ref
 * @throws GatewayProblem
 */
export const fileLink = (ref) => {
  const options = { baseUrl, ...ref }
  if (current === undefined) return downloadLink(options)
  const { credential } = current
  if (isTicket(credential)) return downloadLink({ ...options, ticket: async () => credential })
  const wanted = { exports: [ref], scopes: /** @type {const} */ (['file']), ttl: LINK_LIFE_S }
  const made = createTicket({ baseUrl, headers: accessHeaders(), ...wanted })
  return downloadLink({ ...options, ticket: async () => (await made).ticket })
}
