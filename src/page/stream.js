// @ts-check

/**
 * The stream from the gateway for all exports that are not over, and that of the followed campaign,
 * for all tabs that show them. Where a browser cannot share it, each tab has its own and lets go while it is hidden.
 *
 * @import { ExportEvent, ExportRef, GatewayProblem } from '../client/client.d.ts'
 */

import { watchCampaign, watchExports } from '../client.js'
import { accessHeaders } from './access.js'
import { inBursts } from './bursts.js'
import { showStream } from './line.js'
import { baseUrl, keyOf } from './links.js'
import { demandSignIn, isUnauthenticated } from './signing-in.js'
import { canShare, groupName, joinTabs } from './tabs.js'
import { NOTICES } from './troubles.js'

/** Of so many exports the last news is kept. The exports of a campaign become more all the time. */
const MAX_KNOWN = 400

/** @param {(event: ExportEvent) => void} hear is called with every event of the stream */
export const createStream = (hear) => {
  const isShared = canShare()
  let isLeader = !isShared
  let watching = new AbortController()
  /** @type {readonly ExportRef[]} */
  let wanted = []
  let campaignId = ''
  const isIdle = () => wanted.length === 0 && campaignId === ''
  /** @type {ReturnType<typeof joinTabs> | undefined} */
  let tabs
  /** What the stream said last about each export, for tabs that come later. @type {Map<string, unknown>} */
  let known = new Map()
  /** @type {[string, string]} */
  let line = ['idle', '']

  /** @param {string} state @param {string} [words] */
  const show = (state, words = '') => {
    line = [state, words]
    showStream(state, words)
    if (isLeader) tabs?.tell({ line })
  }

  /** Ends the stream that is open, if any. @returns the signal that ends the next one */
  const renew = () => {
    watching.abort()
    watching = new AbortController()
    return watching.signal
  }

  const pass = inBursts((/** @type {readonly unknown[]} */ events) => tabs?.tell({ events }))

  /** @param {ExportEvent} event */
  const take = (event) => {
    // A browser copies the members of an error to another tab only when they are no error any more.
    const plain = event.type === 'status' ? event : { ...event, problem: { ...event.problem } }
    known.set(keyOf(event), plain)
    const [oldest = ''] = known.keys()
    if (known.size > MAX_KNOWN) known.delete(oldest)
    pass(plain)
    hear(event)
  }

  const open = async () => {
    const signal = renew()
    show('connecting')
    try {
      const onOpen = () => show('live')
      const onProblem = (/** @type {GatewayProblem} */ problem) =>
        show('lost', NOTICES.lost(problem))
      const options = { baseUrl, headers: accessHeaders, signal, onOpen, onProblem }
      const streams = [
        ...(wanted.length > 0 ? [watchExports({ ...options, exports: wanted })] : []),
        ...(campaignId === '' ? [] : [watchCampaign({ ...options, campaignId })]),
      ]
      const read = async (/** @type {AsyncIterable<ExportEvent>} */ stream) => {
        for await (const event of stream) take(event)
      }
      await Promise.all(streams.map(read))
      show('complete')
    } catch (error) {
      // When the page itself ended the stream, the state belongs to the next stream already.
      if (signal.aborted) return
      if (!isUnauthenticated(error)) return show('refused', NOTICES.refused(error))
      show('locked')
      demandSignIn(false)
    }
  }

  /** @param {any} message of another tab */
  const onMessage = (message) => {
    if (isLeader) {
      if (message.ask) tabs?.tell({ events: [...known.values()], line })
      if (message.again && !isIdle()) void open()
      return
    }
    for (const event of message.events ?? []) hear(event)
    // A tab whose exports are all over has said so itself.
    if (!message.line || isIdle()) return
    showStream(message.line[0], message.line[1])
    if (message.line[0] === 'locked') demandSignIn(false)
  }

  /** Joins the tabs that have the same sign-in as this one has now. */
  const join = () => {
    const name = groupName()
    if (!isShared || tabs?.name === name) return
    tabs?.leave()
    renew()
    isLeader = false
    known = new Map()
    tabs = joinTabs(name, onMessage, () => {
      isLeader = true
      if (!isIdle()) void open()
    })
  }

  document.addEventListener('visibilitychange', () => {
    if (isShared || isIdle()) return
    if (document.visibilityState === 'visible') return void open()
    renew()
    show('paused')
  })

  return {
    /**
     * Opens a stream for these exports, and one for the campaign, in place of those that are open.
     *
     * @param {readonly ExportRef[]} exports
     * @param {string} campaign empty for none
     */
    follow(exports, campaign) {
      wanted = exports
      campaignId = campaign
      join()
      if (isLeader) return void open()
      showStream('connecting')
      tabs?.tell({ ask: true })
    },

    /** Tries again at once. @param {readonly ExportRef[]} exports @param {string} campaign */
    again(exports, campaign) {
      if (!isLeader) tabs?.tell({ again: true })
      this.follow(exports, campaign)
    },

    /** @param {'idle' | 'complete'} state why no stream is needed */
    rest(state) {
      wanted = []
      campaignId = ''
      if (isLeader) renew()
      showStream(state)
    },
  }
}
