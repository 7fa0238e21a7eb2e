import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { z } from 'zod'

/**
 * What the peers of `streams` that are Node programs have in common: each sends the gateway's own
 * headers and events on `GET /events`, and tells all streams of the event in a `POST /push`.
 */

const event = z.object({ id: z.string(), data: z.string() })

/** A status event. */
export type PeerEvent = z.infer<typeof event>

const given = z
  .object({ headers: z.array(z.tuple([z.string(), z.string()])), event })
  .parse(JSON.parse(process.env.HELLO ?? ''))

export const port = Number(process.env.PORT)
/** As often as the gateway sends a comment, milliseconds. */
export const HEARTBEAT_MS = 15_000
export const headers: Readonly<Record<string, string>> = Object.fromEntries(given.headers)

/** The event that a new stream begins with. */
let newest = given.event
export const newestEvent = (): PeerEvent => newest

export const encode = ({ id, data }: PeerEvent): Buffer =>
  Buffer.from(`event: status\nid: ${id}\ndata: ${data}\n\n`)

/** Reads the body of a `POST /push`. */
export const pushed = async (request: IncomingMessage): Promise<PeerEvent> => {
  newest = event.parse(JSON.parse(await text(request)))
  return newest
}
