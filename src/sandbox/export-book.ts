import { randomInt } from 'node:crypto'
import { endOf, type Life, lookAt, type Outcome } from './export-life.ts'
import type { Shown } from './replies.ts'
import { fileNameOf } from './requests.ts'

/**
 * An export that a test or the sandbox asks for. Durations are milliseconds before time scaling.
 */
export interface ExportScript {
  /** What this export shows, for people. */
  readonly title?: string
  /** Default: a new id. */
  readonly campaignId?: string
  /** Default: a new id. */
  readonly exportId?: string
  /** Default `Sandbox campaign`. */
  readonly campaignName?: string
  /** The key whose team owns the export. Default: the first accepted key. */
  readonly apiKey?: string
  /**
   * How long the export runs. With the outcome `never`: how long until it is stuck. Default 1000.
   */
  readonly durationMs?: number
  /** How many items each step has, at least 0. Default 100. */
  readonly total?: number
  /** Default `done`. */
  readonly outcome?: Outcome
  /** Size of its file in bytes, at least 0. Default 23654, as in lemlist's documentation. */
  readonly fileBytes?: number
  /**
   * When its life begins: at its first status call (default), or at this time, epoch milliseconds.
   */
  readonly startsAt?: 'first-look' | number
  /** Moves its start back: it began this long before that moment. Default 0. */
  readonly startedBeforeMs?: number
}

export interface Campaign {
  readonly campaignId: string
  readonly campaignName: string
  readonly apiKey: string
  readonly teamId: string
}

export interface KnownExport extends Shown {
  /** The key whose team owns the export. */
  readonly apiKey: string
  readonly life: Life
  readonly fileBytes: number
  readonly fileName: string
}

interface Entry {
  readonly campaign: Campaign
  readonly exportId: string
  readonly fileBytes: number
  readonly startedBeforeMs: number
  /** `startedAt` is missing until the first look. */
  life: Omit<Life, 'startedAt'> & { readonly startedAt?: number }
}

/** lemlist keeps a status for 2 h from its start and a file for 24 h from its end. */
const STATUS_LIFE_MS = 2 * 60 * 60 * 1000
const FILE_LIFE_MS = 24 * 60 * 60 * 1000
/**
 * A bound on memory, for a sandbox that runs for weeks under a load test. Beyond it the oldest
 * export is dropped.
 */
const MAX_EXPORTS = 100_000

/** Meteor's `Random.id()`: 17 out of 55 characters that people do not confuse with each other. */
const ID_CHARACTERS = '23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz'
export const newId = (prefix: string): string =>
  prefix + Array.from({ length: 17 }, () => ID_CHARACTERS[randomInt(ID_CHARACTERS.length)]).join('')

export interface ExportBook {
  add(script: ExportScript): { campaignId: string; exportId: string }
  addCampaign(campaignId: string, campaignName: string, apiKey?: string): Campaign
  campaign(campaignId: string): Campaign | undefined
  /** Makes a new export, which begins now. */
  start(campaign: Campaign): KnownExport
  /**
   * Returns the export as it is now. The first look begins its life. Undefined when it is unknown
   * or its 2 h are over.
   */
  look(campaign: Campaign, exportId: string): KnownExport | undefined
  /** Returns the export whose file has this name and is still kept. */
  withFile(exportId: string, fileName: string): KnownExport | undefined
  /** Sets the end or the progress by hand, from now on. @throws Error when the export is unknown */
  change(exportId: string, change: (at: number) => Pick<Life, 'ended'> | Pick<Life, 'pinned'>): void
  forget(exportId: string): void
}

export interface ExportBookOptions {
  readonly keys: readonly string[]
  readonly timeScale: number
  /** How the exports go that `start` makes. */
  readonly started: ExportScript
  readonly now: () => number
}

export const createExportBook = (options: ExportBookOptions): ExportBook => {
  const { keys, timeScale, now } = options
  const campaigns = new Map<string, Campaign>()
  const entries = new Map<string, Entry>()

  const show = (entry: Entry, startedAt: number): KnownExport => {
    const { campaign, exportId, fileBytes } = entry
    const life = { ...entry.life, startedAt }
    const fileName = fileNameOf(exportId, campaign.campaignName)
    const look = lookAt(life, now())
    return { ...campaign, exportId, startedAt, look, life, fileBytes, fileName }
  }

  const begin = (entry: Entry, at = now() - entry.startedBeforeMs): number => {
    entry.life = { ...entry.life, startedAt: entry.life.startedAt ?? at }
    return entry.life.startedAt ?? at
  }

  const addCampaign: ExportBook['addCampaign'] = (campaignId, campaignName, key) => {
    const apiKey = key ?? keys[0] ?? ''
    const number = String(keys.indexOf(apiKey) + 1).padStart(6, '0')
    const campaign = { campaignId, campaignName, apiKey, teamId: `tea_SandboxTeam${number}` }
    campaigns.set(campaignId, campaign)
    return campaign
  }

  const enter = (campaign: Campaign, script: ExportScript): Entry => {
    const { exportId = newId('axp_'), fileBytes = 23_654, startsAt = 'first-look' } = script
    const startedBeforeMs = Math.round((script.startedBeforeMs ?? 0) / timeScale)
    const life = {
      durationMs: Math.round((script.durationMs ?? 1000) / timeScale),
      total: script.total ?? 100,
      outcome: script.outcome ?? 'done',
      ...(startsAt !== 'first-look' && { startedAt: startsAt - startedBeforeMs }),
    }
    const entry = { campaign, exportId, fileBytes, startedBeforeMs, life }
    entries.delete(exportId)
    entries.set(exportId, entry)
    const [oldest] = entries.keys()
    if (entries.size > MAX_EXPORTS && oldest !== undefined) entries.delete(oldest)
    return entry
  }

  return {
    addCampaign,
    campaign: (campaignId) => campaigns.get(campaignId),
    add(script) {
      const { campaignId = newId('cam_'), campaignName = 'Sandbox campaign', apiKey } = script
      const known = apiKey === undefined && script.campaignName === undefined
      const campaign =
        (known ? campaigns.get(campaignId) : undefined) ??
        addCampaign(campaignId, campaignName, apiKey)
      return { campaignId, exportId: enter(campaign, script).exportId }
    },
    start(campaign) {
      const entry = enter(campaign, options.started)
      return show(entry, begin(entry))
    },
    look(campaign, exportId) {
      const entry = entries.get(exportId)
      if (entry === undefined || entry.campaign.campaignId !== campaign.campaignId) return undefined
      const startedAt = begin(entry)
      return now() - startedAt < STATUS_LIFE_MS / timeScale ? show(entry, startedAt) : undefined
    },
    withFile(exportId, fileName) {
      const entry = entries.get(exportId)
      if (entry?.life.startedAt === undefined) return undefined
      const shown = show(entry, entry.life.startedAt)
      const kept = now() < endOf(shown.life) + FILE_LIFE_MS / timeScale
      return shown.look.state === 'done' && shown.fileName === fileName && kept ? shown : undefined
    },
    change(exportId, change) {
      const entry = entries.get(exportId)
      if (entry === undefined) throw new Error(`the sandbox knows no export ${exportId}`)
      begin(entry)
      entry.life = { ...entry.life, ...change(now()) }
    },
    forget: (exportId) => void entries.delete(exportId),
  }
}
