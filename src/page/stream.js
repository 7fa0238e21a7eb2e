// @ts-check

/**
 * The one stream from the gateway, for all exports that are not over.
 *
 * @import { ExportEvent, ExportRef, GatewayProblem } from '../client/client.d.ts'
 */

import { watchExports } from '../client.js'
import { accessHeaders } from './access.js'
import { showStream as show } from './line.js'
import { baseUrl } from './links.js'
import { demandSignIn, isUnauthenticated } from './signing-in.js'
import { NOTICES } from './troubles.js'

/** @param {(event: ExportEvent) => void} hear is called with every event of the stream */
export const createStream = (hear) => {
  let watching = new AbortController()

  /** Ends the stream that is open, if any. @returns the signal that ends the next one */
  const renew = () => {
    watching.abort()
    watching = new AbortController()
    return watching.signal
  }

  return {
    /**
     * Opens a stream for these exports in place of the one that is open.
     *
     * @param {readonly ExportRef[]} exports
     */
    async follow(exports) {
      const signal = renew()
      show('connecting')
      try {
        const onOpen = () => show('live')
        const onProblem = (/** @type {GatewayProblem} */ problem) =>
          show('lost', NOTICES.lost(problem))
        const options = { baseUrl, headers: accessHeaders, signal, onOpen, onProblem }
        for await (const event of watchExports({ ...options, exports })) hear(event)
        show('complete')
      } catch (error) {
        // When the page itself ended the stream, the state belongs to the next stream already.
        if (signal.aborted) return
        if (!isUnauthenticated(error)) return show('refused', NOTICES.refused(error))
        show('locked')
        demandSignIn(false)
      }
    },

    /** @param {'idle' | 'complete'} state why no stream is needed */
    rest(state) {
      renew()
      show(state)
    },
  }
}
