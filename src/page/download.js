// @ts-check

/**
 * The download of a file. A browser that fails to download tells the page nothing, so the page asks
 * first whether the file is there.
 *
 * @import { ExportRef, GatewayProblem } from '../client/client.d.ts'
 */

import { fileLink, isSignedIn } from './access.js'
import { demandSignIn, isUnauthenticated } from './signing-in.js'
import { problemWords } from './troubles.js'
import { FAULTS } from './words.js'

/** How long the page waits for the word about a file, milliseconds. */
const PATIENCE_MS = 10_000

/**
 * @param {ExportRef} ref
 * @returns {Promise<{ fault?: string, isExpired?: boolean }>} what is wrong; empty when nothing is
 */
export const download = async (ref) => {
  try {
    const href = await fileLink(ref)
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const answer = await fetch(href, { method: 'HEAD', signal }).catch(() => undefined)
    if (answer?.status === 410) return { isExpired: true }
    if (answer?.status === 401 && !isSignedIn()) {
      demandSignIn(true)
      return {}
    }
    if (!answer?.ok) return { fault: FAULTS.notHere(answer?.status) }
    // A link with `download` leads to no other page, so its address is not in the history.
    const link = document.createElement('a')
    link.href = href
    link.download = ''
    link.click()
    return {}
  } catch (error) {
    if (isUnauthenticated(error)) {
      demandSignIn(true)
      return {}
    }
    const problem = /** @type {GatewayProblem} */ (error)
    return { fault: `${FAULTS.noFile} ${problemWords(problem)}` }
  }
}
