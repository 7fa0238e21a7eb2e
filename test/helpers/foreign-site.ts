import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * A page of a site that has nothing to do with the gateway. The test ends it.
 *
 * @returns its origin, which has another port than the gateway. To a browser, `localhost` and
 * `127.0.0.1` are also two sites, and tests call the gateway by the other name.
 */
export const startForeignSite = async (): Promise<string> => {
  const server = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html')
    answer.end('<title>a foreign page</title>')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  // A server that listens on TCP has such an address.
  return `http://localhost:${(server.address() as AddressInfo).port}`
}
