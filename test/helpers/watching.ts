import { onTestFinished } from 'vitest'
import {
  type ConnectOptions,
  type EventConnection,
  openEvents,
  type Received,
} from './event-connection.ts'
import { eventsPath, logLines, startGateway, type TestGateway } from './gateway.ts'
import { FAST } from './pace.ts'
import { REF } from './status-bodies.ts'

/** A gateway, its streams, and a lemlist that says what the test wants. All end with the test. */

export type Ids = { readonly campaignId: string; readonly exportId: string }

interface Watching extends TestGateway {
  /** Opens the stream of the scripted export, or the one at this path. */
  open(path?: string, options?: ConnectOptions): EventConnection
  /** lemlist answers so from now on, for the scripted export or for another. */
  say(body: string, ref?: Ids): void
  /** lemlist does not know the export from now on. */
  deny(ref?: Ids): void
  /** lemlist answers with this error status from now on. */
  fail(status: number, ref?: Ids): void
}

export const startWatching = async (
  env: Readonly<Record<string, string>> = {},
): Promise<Watching> => {
  const gateway = await startGateway({ env: { ...FAST, ...env } })
  const { url, lemlist } = gateway
  return {
    ...gateway,
    open: (path = eventsPath(REF), options = {}) => {
      const stream = openEvents(url + path, options)
      onTestFinished(() => void stream.socket.destroy())
      return stream
    },
    say: (body, { exportId } = REF) => lemlist.script({ exportId }, { body }),
    deny: ({ exportId } = REF) =>
      lemlist.script({ exportId }, { status: 404, body: '{"ok":false,"message":"not found"}' }),
    fail: (status, { exportId } = REF) => lemlist.script({ exportId }, { status, body: 'trouble' }),
  }
}

/** Makes a test for events of that name. */
export const named =
  (name: string) =>
  ({ event }: Received): boolean =>
    event === name

/** The names of the events so far, in order of arrival. */
export const namesOf = ({ events }: Pick<EventConnection, 'events'>): string[] =>
  events.map(({ event }) => event)

/** The header fields of an answer. Names are in lower case. */
export const fieldsOf = ({ head }: Pick<EventConnection, 'head'>): Record<string, string> =>
  Object.fromEntries(
    head()
      .split('\r\n')
      .slice(1)
      .map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
  )

/** How the streams have ended so far, according to the gateway's log. */
export const endingsOf = ({ logs }: Pick<TestGateway, 'logs'>): unknown[] =>
  logLines(logs())
    .filter(({ msg }) => msg === 'stream')
    .map(({ ending }) => ending)
