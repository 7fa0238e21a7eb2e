import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { doneBody, REF } from '../test/helpers/status-bodies.ts'
import { type Peer, startNginx } from './peers/programs.ts'
import { message, residentBytesOf, startLoad } from './processes.ts'
import { report } from './report.ts'
import { startServer } from './server.ts'

/** Measures one large download through the gateway and through nginx: its speed, and the memory it takes. */

const MIB = 1_024 ** 2
const FILE_BYTES = 512 * MIB
const PIECE = Buffer.alloc(64 * 1_024, 'lemlist,')
const ROUNDS = 5

const result = z.object({ status: z.number(), bytes: z.number(), ms: z.number() })

const writeFile = async (response: ServerResponse): Promise<void> => {
  response.writeHead(200, { 'content-type': 'text/csv', 'content-length': FILE_BYTES })
  for (let left = FILE_BYTES; left > 0 && !response.destroyed; left -= PIECE.byteLength) {
    if (!response.write(PIECE)) await once(response, 'drain')
  }
  response.end()
}

/** Answers as lemlist does: with a status that is done, and with its file. */
const startOrigin = async () => {
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/api/files/') === true) {
      writeFile(response).catch(() => response.destroy())
    } else response.writeHead(200, { 'content-type': 'application/json' }).end(doneBody())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** One download. The memory is read after it, and a short one before it warms the server up. */
const download = async (peer: Peer & { readonly pid: number }, path: string) => {
  const load = startLoad('file-load.ts')
  try {
    const before = residentBytesOf(peer.pid)
    const cpuBefore = peer.cpuMs()
    load.child.send({ url: peer.url + path })
    const { status, bytes, ms } = await message(load.child, result)
    if (status !== 200 || bytes !== FILE_BYTES) throw new Error(`${status}, ${bytes} bytes`)
    const cpuMs = peer.cpuMs() - cpuBefore
    const mib = FILE_BYTES / MIB
    return [(mib * 1_000) / ms, cpuMs / mib, (residentBytesOf(peer.pid) - before) / MIB]
  } finally {
    load.end()
  }
}

export const measureFile = async (): Promise<void> => {
  const origin = await startOrigin()
  const nginx = await startNginx(origin.url, { keepsCopies: false })
  const gateway = await startServer('gateway.ts', {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: `${origin.url}/api` },
    ...{ STORE_URL: 'memory:', LOG_LEVEL: 'info' },
  })
  const sides = [
    { name: 'nginx proxy_pass', peer: nginx, path: '/api/files/a.csv' },
    {
      ...{ name: 'gateway', peer: gateway },
      path: `/campaigns/${REF.campaignId}/export/${REF.exportId}/file`,
    },
  ]
  const rows = sides.map(({ name }) => ({ name, rounds: [] as number[][] }))
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, { peer, path }] of sides.entries()) {
      const figures = peer && (await download(peer, path))
      // The first round warms both up.
      if (figures !== undefined && round > 0) rows[index]?.rounds.push(figures)
    }
  }
  await nginx?.end()
  await gateway.end()
  origin.close()
  report({
    ...{ name: 'file', title: `A download of ${FILE_BYTES / MIB} MiB`, rows, charted: 0 },
    columns: [
      { name: 'MiB a second', digits: 0 },
      { name: 'ms of CPU a MiB', digits: 2 },
      { name: 'more memory after it, MiB', digits: 1 },
    ],
  })
}
