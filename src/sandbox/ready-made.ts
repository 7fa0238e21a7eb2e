import type { ExportScript } from './export-book.ts'

/** An export that the sandbox has from the start. */
export type ReadyMade = ExportScript &
  Required<Pick<ExportScript, 'title' | 'campaignId' | 'exportId'>>

/** The campaign of all ready-made exports. More exports of it can be started. */
export const READY_MADE_CAMPAIGN = 'cam_SandboxCampaign01'

/** A campaign whose exports the gateway has seen, so that its list shows some. */
export const SEEN_CAMPAIGN = {
  title: 'campaign: all its exports, old and new',
  campaignId: 'cam_SandboxCampaign02',
}

/** The exports of that campaign. The sandbox reads each once when it starts. */
export const seenExports = (): readonly ReadyMade[] => {
  const campaign = { campaignId: SEEN_CAMPAIGN.campaignId, campaignName: 'Spring outreach' }
  const minutes = (count: number): number => count * 60_000
  return [
    {
      ...campaign,
      title: 'failed',
      exportId: 'axp_SandboxSeen000001',
      durationMs: 9000,
      startedBeforeMs: minutes(50),
      outcome: 'error',
    },
    {
      ...campaign,
      title: 'done',
      exportId: 'axp_SandboxSeen000002',
      durationMs: 14_000,
      startedBeforeMs: minutes(45),
      fileBytes: 48_000,
    },
    {
      ...campaign,
      title: 'running',
      exportId: 'axp_SandboxSeen000003',
      durationMs: minutes(20),
      startedBeforeMs: minutes(4),
      total: 2400,
      fileBytes: 240_000,
    },
  ]
}

/**
 * One export for each way in which an export can go. Each begins at its first look. So a command of
 * the README shows the same when it is pasted at once and when it is pasted an hour later.
 */
export const readyMade = (): readonly ReadyMade[] => {
  const campaign = { campaignId: READY_MADE_CAMPAIGN, campaignName: 'Sandbox campaign' }
  return [
    {
      ...campaign,
      title: 'quick: done within a second',
      exportId: 'axp_SandboxQuick00001',
      durationMs: 1000,
      total: 20,
    },
    {
      ...campaign,
      title: 'slow: takes 36 seconds and shows its progress',
      exportId: 'axp_SandboxSlow000001',
      durationMs: 36_000,
      total: 1200,
      fileBytes: 5_000_000,
    },
    {
      ...campaign,
      title: 'error: fails after 5 seconds',
      exportId: 'axp_SandboxError00001',
      durationMs: 5000,
      outcome: 'error',
    },
    {
      ...campaign,
      title: 'done: ended a minute ago',
      exportId: 'axp_SandboxDone000001',
      durationMs: 1019,
      startedBeforeMs: 61_019,
    },
    {
      ...campaign,
      title: 'never: stays pending for ever',
      exportId: 'axp_SandboxNever00001',
      durationMs: 20_000,
      outcome: 'never',
    },
  ]
}
