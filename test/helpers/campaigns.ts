import { onTestFinished } from 'vitest'
import { type ConnectOptions, type EventConnection, openEvents } from './event-connection.ts'
import { CAMPAIGN } from './starts.ts'

/** The list and the stream of a campaign. */

export const campaignEventsPath = (campaignId: string = CAMPAIGN): string =>
  `/campaigns/${campaignId}/events`

export const campaignExportsPath = (campaignId: string = CAMPAIGN): string =>
  `/campaigns/${campaignId}/exports`

/** Opens the stream of the campaign. It ends with the test. */
export const openCampaign =
  (url: string, campaignId?: string) =>
  (options: ConnectOptions = {}): EventConnection => {
    const stream = openEvents(url + campaignEventsPath(campaignId), options)
    onTestFinished(() => void stream.socket.destroy())
    return stream
  }

/** The exports that the events so far tell of, in order. */
export const toldIds = ({ events }: Pick<EventConnection, 'events'>): string[] =>
  events.map(({ data }) => (JSON.parse(data) as { exportId: string }).exportId)
