import { type Keys, refusal } from './credentials.ts'
import { createCsvFile } from './csv-file.ts'
import type { Campaign, ExportBook } from './export-book.ts'
import * as replies from './replies.ts'
import type { Request } from './requests.ts'

/** What lemlist answers to a request. The rate limit is not applied here, but in lemlist.ts. */

export interface AnswersOptions {
  readonly book: ExportBook
  readonly keys: Keys
  readonly fileNeedsKey: boolean
  /** Returns the emulator's own base URL, once it listens. */
  readonly baseUrl: () => string
}

export interface Asked extends Request {
  readonly key: string | undefined
  /** The `Range` header as received. */
  readonly range: string | undefined
}

export const createAnswers = ({ book, keys, fileNeedsKey, baseUrl }: AnswersOptions) => {
  const answerStatus = (campaign: Campaign, exportId: string): replies.Reply => {
    const known = book.look(campaign, exportId)
    if (known === undefined) return replies.exportNotFound(exportId)
    if (known.look.state !== 'done') return replies.unfinished(known)
    const url = `${baseUrl()}/files/exports/${known.fileName}`
    return replies.finished(known, { size: known.fileBytes, endedAt: known.look.time, url })
  }

  const answerFile = ({ exportId = '', fileName = '', key, range }: Asked): replies.Reply => {
    const known = book.withFile(exportId, fileName)
    if (known === undefined) return replies.fileNotFound
    if (fileNeedsKey && known.apiKey !== key) return replies.badTeam
    return replies.csv(createCsvFile(exportId, known.fileBytes), fileName, range)
  }

  return (asked: Asked): replies.Reply => {
    const { operation, method, key, campaignId = '', exportId = '' } = asked
    if (operation === 'unknown') return replies.singlePageApp
    const open = operation === 'file' && !fileNeedsKey
    const refused = open ? undefined : refusal(key, keys)
    if (refused !== undefined) return refused
    if (method !== 'GET') return replies.badMethod
    if (operation === 'file') return answerFile(asked)
    const campaign = book.campaign(campaignId)
    if (campaign === undefined) return replies.campaignNotFound(operation)
    if (campaign.apiKey !== key) return replies.badTeam
    return operation === 'start'
      ? replies.started(book.start(campaign))
      : answerStatus(campaign, exportId)
  }
}
