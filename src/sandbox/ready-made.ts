import type { ExportScript } from './export-book.ts'

/** An export that the sandbox has at every start. */
export type ReadyMade = ExportScript &
  Required<Pick<ExportScript, 'title' | 'campaignId' | 'exportId'>>

/** The campaign of all ready-made exports; more exports of it can be started. */
export const READY_MADE_CAMPAIGN = 'cam_SandboxCampaign01'

/**
 * One export for each way it can go. Each begins at its first look, so that a line of the README that
 * is pasted an hour after the start shows the same as one pasted at once.
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
      title: 'never: nobody ever finishes it',
      exportId: 'axp_SandboxNever00001',
      durationMs: 20_000,
      outcome: 'never',
    },
  ]
}
