// @ts-check

/**
 * The campaign that the page follows, if any: its panel above the list, with a button that starts an
 * export of it. One at a time, because each needs a stream, and a browser opens few connections.
 *
 * @import { ExportRef, ListedExport } from '../client/client.d.ts'
 * @import { Card } from './card.js'
 */

import { listExports } from '../client.js'
import { accessHeaders } from './access.js'
import { render } from './card.js'
import { announce, element, part, write } from './dom.js'
import { baseUrl, keyOf } from './links.js'
import { rememberCampaign } from './memory.js'
import { nameOf, titleOf } from './state.js'
import { toast } from './toast.js'
import { showAll } from './view.js'
import { CAMPAIGN, NEWS } from './words.js'

/** So many of its exports the page shows at most. The stream of a campaign tells of as many. */
export const MAX_LISTED = 200

/**
 * @param {object} on
 * @param {(campaignId: string) => Promise<{ fault: string }>} on.start is asked for an export of it
 * @param {(refs: readonly ExportRef[]) => void} on.bring puts its exports on the list, the first at
 *   the top
 * @param {(ref: ExportRef) => Card | undefined} on.card the card of an export on the list
 * @param {() => void} on.change takes from the list what the campaign before has brought
 * @param {() => void} on.ready opens the streams
 */
export const createCampaign = (on) => {
  let id = ''
  /** What somebody took from the list. The next news about it must not bring it back. @type {Set<string>} */
  const dismissed = new Set()

  const blame = (/** @type {string} */ words) => write(element('#campaign-fault'), words)
  element('#campaign-leave').addEventListener('click', () => leave())
  const button = part(document, '#campaign-start', HTMLButtonElement)
  button.addEventListener('click', async () => {
    // A second press during a start must not start a second export.
    if (button.ariaBusy === 'true') return
    button.ariaBusy = 'true'
    blame('')
    const { fault } = await on.start(id)
    button.ariaBusy = 'false'
    blame(fault)
  })

  /** @param {ExportRef} ref @returns whether it belongs on the list because of its campaign */
  const has = (ref) => id !== '' && ref.campaignId === id && !dismissed.has(keyOf(ref))

  /**
   * Reads what the gateway knows of it now, and then opens the streams. The stream tells the same,
   * but not in this order, and not what lemlist has not answered yet. So when the list does not come,
   * the stream is enough, and says why.
   */
  const reload = async () => {
    const campaignId = id
    const options = { baseUrl, headers: accessHeaders(), campaignId, limit: 100 }
    const none = { exports: [] }
    const { exports } = campaignId === '' ? none : await listExports(options).catch(() => none)
    // Another campaign is followed by now.
    if (campaignId !== id) return
    on.bring(exports.map(({ exportId }) => ({ campaignId, exportId })).filter(has))
    for (const one of exports) fill(on.card({ campaignId, exportId: one.exportId }), one)
    on.ready()
  }

  /** @param {string} campaignId empty for none */
  const set = (campaignId) => {
    if (campaignId === id) return
    id = campaignId
    dismissed.clear()
    blame('')
    element('#campaign').hidden = id === ''
    write(element('#campaign-id'), id)
    on.change()
    void reload()
  }

  /** Follows it because somebody asked for that. @param {string} campaignId */
  const follow = (campaignId) => {
    showAll()
    rememberCampaign(campaignId)
    set(campaignId)
    element('#campaign').scrollIntoView({ block: 'nearest' })
    announce(NEWS.followingCampaign(campaignId))
  }

  const leave = () => {
    const before = id
    rememberCampaign('')
    set('')
    element('#add-text').focus()
    toast(NEWS.left(before), () => follow(before))
  }

  return {
    has,
    reload: () => void reload(),
    set,
    follow,

    /** The id of the campaign, empty without one. */
    id: () => id,

    /** Keeps these from the list. @param {readonly ExportRef[]} refs */
    dismiss(refs) {
      for (const ref of refs) if (ref.campaignId === id) dismissed.add(keyOf(ref))
    },

    /** @param {readonly ExportRef[]} refs that somebody wants to see again */
    recall(refs) {
      for (const ref of refs) dismissed.delete(keyOf(ref))
    },

    /** @param {readonly Card[]} cards those on the list */
    render(cards) {
      const own = cards.filter(({ ref }) => ref.campaignId === id)
      const named = own.find(({ fields }) => fields?.campaignName)
      write(element('#campaign-name'), named ? titleOf(named) : CAMPAIGN.unnamed)
      write(element('#campaign-words'), own.length > 0 ? CAMPAIGN.some : CAMPAIGN.none)
    },
  }
}

/** @param {Card | undefined} card @param {ListedExport} listed what the gateway knows of it */
const fill = (card, { state, body }) => {
  if (!card) return
  if (body) card.fields = body.status
  if (state === 'timed-out') card.gone = { code: 'export-timed-out', detail: '' }
  card.told = nameOf(card)
  render(card)
}
