// @ts-check

/**
 * The tabs of this page in one browser. A browser opens six connections to a host over HTTP/1.1, so
 * tabs must not have a stream each. One tab leads: it holds a lock of the browser, has the stream,
 * and tells the others what it hears. When it is closed, the browser gives the lock to the next.
 */

import { accessHeaders } from './access.js'
import { root } from './links.js'
import { canRemember } from './memory.js'

/** Browsers have locks only on pages that came over TLS or from this machine. */
export const canShare = () =>
  navigator.locks !== undefined && typeof BroadcastChannel === 'function' && canRemember()

/**
 * The name of the group of tabs that may see the same: those with the same sign-in. It has a
 * checksum of the credential in it, and not the credential.
 */
export const groupName = () => {
  let sum = 0n
  for (const letter of JSON.stringify(accessHeaders())) {
    sum = BigInt.asUintN(64, (sum ^ BigInt(letter.codePointAt(0) ?? 0)) * 1099511628211n)
  }
  return `lemlist-export-gateway:${root.pathname}:${sum.toString(36)}`
}

/**
 * @param {string} name of the group
 * @param {(message: any) => void} hear is called with what another tab tells
 * @param {() => void} lead is called when this tab leads from now on
 */
export const joinTabs = (name, hear, lead) => {
  const channel = new BroadcastChannel(name)
  const leaving = new AbortController()
  channel.addEventListener('message', ({ data }) => hear(data))
  const held = () =>
    new Promise((resolve) => {
      leaving.signal.addEventListener('abort', resolve)
      if (!leaving.signal.aborted) lead()
    })
  // The request is rejected when this tab leaves before its turn, and then nothing is to be done.
  navigator.locks.request(name, { signal: leaving.signal }, held).catch(() => {})
  return {
    name,
    tell: (/** @type {unknown} */ message) => channel.postMessage(message),
    leave() {
      leaving.abort()
      channel.close()
    },
  }
}
