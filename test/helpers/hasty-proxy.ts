import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { pipeline, Transform } from 'node:stream'
import { onTestFinished } from 'vitest'

export interface HastyProxy {
  /** `http://127.0.0.1:PORT`. It stays the same whichever gateway is behind it. */
  readonly url: string
  /** Sends every request from now on to this gateway. */
  aim(url: string): void
}

/** How long a client waits before it connects again, milliseconds. The gateway asks for seconds. */
const RETRY_MS = 50

/**
 * Replaces the waits that the gateway asks for. The gateway writes each `retry:` line in one piece,
 * so no line is split between two chunks.
 */
const hasty = (): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, chunk.toString().replaceAll(/^retry: \d+$/gm, `retry: ${RETRY_MS}`))
    },
  })

/**
 * A reverse proxy in front of a gateway. It changes the `retry:` lines of streams and nothing else,
 * so that clients connect again at once and a test does not wait for seconds. While no gateway
 * answers, the proxy cuts each connection of a client. The proxy ends with the test.
 *
 * @param target the URL of the first gateway
 */
export const startHastyProxy = async (target: string): Promise<HastyProxy> => {
  let gateway = target

  const forward = (asked: IncomingMessage, response: ServerResponse): void => {
    const { method, headers, url = '/' } = asked
    // `agent: false`: a kept connection would lead to the gateway that was there before a restart.
    const forwarded = request(new URL(url, gateway), { method, headers, agent: false })
    forwarded.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      const isStream = answer.headers['content-type']?.startsWith('text/event-stream') === true
      // When the gateway cuts its answer, the pipeline destroys the client's connection as well.
      if (isStream) pipeline(answer, hasty(), response, () => {})
      else pipeline(answer, response, () => {})
    })
    forwarded.on('error', () => response.destroy())
    response.once('close', () => forwarded.destroy())
    asked.pipe(forwarded)
  }

  const server = createServer(forward)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    aim: (url) => {
      gateway = url
    },
  }
}
