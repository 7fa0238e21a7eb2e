import { type CampaignRef, EXPORT_ID } from '../../exports/export.ts'
import type { ListedResult, Results } from '../../exports/ports.ts'
import type { Redis } from './client.ts'

interface Read extends Pick<Redis, 'commands' | 'run'> {
  readonly getMany: Results['getMany']
}

/** How many exports of a list are read at once, when some of the newest are over. */
const PAGE = 250

const isSound = ({ exportId, firstSeenAt }: { exportId: string; firstSeenAt: number }): boolean =>
  EXPORT_ID.test(exportId) && Number.isFinite(firstSeenAt)

/**
 * Reads the newest results of a campaign. Redis deletes the results by themselves, so some exports of
 * the list may have none any more. They are taken out of the list.
 *
 * @param key of the list, a sorted set of export ids by the time when they were first seen
 */
export const readNewest = async (
  { commands, run, getMany }: Read,
  { account, campaignId }: CampaignRef,
  key: string,
  limit: number,
): Promise<ListedResult[]> => {
  /** Reads the page behind so many of the newest, newest first. Another program may have put anything into it. */
  const readPage = async (skipped: number, size: number, over: readonly string[]) => {
    const values = [String(skipped), String(size), ...over]
    const reply = await run(() => commands.listCampaign([key], values))
    const flat: readonly unknown[] = Array.isArray(reply) ? reply : []
    const page: { exportId: string; firstSeenAt: number }[] = []
    for (let index = flat.length - 2; index >= 0; index -= 2) {
      const firstSeenAt = Number(flat[index + 1])
      page.push({ exportId: String(flat[index]), firstSeenAt })
    }
    return page
  }

  const found: ListedResult[] = []
  let over: string[] = []
  let skipped = 0
  for (let size = limit; found.length < limit; size = PAGE) {
    const page = await readPage(skipped, size, over)
    const sound = page.filter(isSound)
    const refs = sound.map(({ exportId }) => ({ account, campaignId, exportId }))
    const records = await getMany(refs)
    over = []
    for (const [index, ref] of refs.entries()) {
      const record = records[index]
      const { firstSeenAt = 0 } = sound[index] ?? {}
      if (record === undefined || record.kind === 'expired') over.push(ref.exportId)
      else found.push({ ref, firstSeenAt, record })
    }
    // What is over leaves the list before the next page is read.
    skipped += page.length - over.length
    if (page.length < size) break
  }
  if (over.length > 0) await readPage(0, 1, over)
  return found.slice(0, limit)
}
