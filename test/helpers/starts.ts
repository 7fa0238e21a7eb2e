import type { Call, CallFilter } from '../../src/sandbox/call-log.ts'
import { BOUNDLESS } from './faults.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { UNLIMITED } from './pace.ts'

/** Starts of exports: requests of a caller, and filters for the calls that lemlist gets. */

export const CAMPAIGN = 'cam_Startable0000001'

export const startPath = (campaignId: string = CAMPAIGN): string =>
  `/campaigns/${campaignId}/export/start`

export const isStart: CallFilter = ({ operation }: Call) => operation === 'start'
export const isStatus: CallFilter = ({ operation }: Call) => operation === 'status'

/** Starts a gateway whose lemlist has a campaign to export. */
export const startGatewayWithCampaign = async (
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway> => {
  const gateway = await startGateway({
    env: { ...BOUNDLESS, ...env },
    lemlist: { rateLimit: UNLIMITED, started: { durationMs: 3_600_000 } },
  })
  gateway.lemlist.addCampaign(CAMPAIGN)
  return gateway
}

export interface StartAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

interface Request {
  readonly campaignId?: string
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export const start = async (
  { url }: Pick<TestGateway, 'url'>,
  { campaignId = CAMPAIGN, key, headers = {}, body }: Request = {},
): Promise<StartAnswer> => {
  const response = await fetch(url + startPath(campaignId), {
    method: 'POST',
    headers: { ...headers, ...(key !== undefined && { 'idempotency-key': key }) },
    ...(body !== undefined && { body }),
    redirect: 'manual',
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** The ids of the export in the answer to a start. */
export const startedIn = ({ text }: StartAnswer): { campaignId: string; exportId: string } => {
  const { campaignId, id } = JSON.parse(text)
  return { campaignId, exportId: id }
}
