import { once } from 'node:events'
import { connect } from 'node:net'
import type { Server } from './server.ts'

interface OpenOptions {
  readonly key?: string
  readonly onText?: (stream: number) => (text: string) => void
}

interface Ref {
  readonly campaignId: string
  readonly exportId: string
}

/**
 * Opens one stream for each group of exports and reads what comes. Returns a function that leaves.
 *
 * @param key the key of the caller, where the gateway wants one
 * @param onText is called with what comes on one stream, piece by piece
 * @throws Error when a stream is refused
 */
export const openStreams = async (
  server: Server,
  groups: readonly (readonly Ref[])[],
  { key, onText }: OpenOptions = {},
): Promise<() => void> => {
  const { host, hostname, port } = new URL(server.url)
  const credential = key === undefined ? '' : `X-Api-Key: ${key}\r\n`
  const open = async (refs: readonly Ref[], stream: number) => {
    const query = refs.map(({ campaignId, exportId }) => `export=${campaignId}/${exportId}`)
    const socket = connect(Number(port), hostname).setEncoding('utf8')
    const listener = onText?.(stream)
    if (listener !== undefined) socket.on('data', listener)
    socket.write(`GET /events?${query.join('&')} HTTP/1.1\r\nHost: ${host}\r\n${credential}\r\n`)
    const [answer] = await once(socket, 'data')
    if (!String(answer).startsWith('HTTP/1.1 200')) throw new Error(`not opened: ${answer}`)
    return socket.resume()
  }
  const sockets = await Promise.all(groups.map(open))
  return () => {
    for (const socket of sockets) socket.destroy()
  }
}

/** Cuts a list into groups of this size; the last one may be smaller. */
export const inGroups = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
