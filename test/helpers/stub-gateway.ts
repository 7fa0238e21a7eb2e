import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** One request that the stub got. */
export interface StubRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

type Answer = (request: StubRequest, response: ServerResponse) => void

/**
 * A server on a real socket that answers as the test says. It stands in for the gateway where a
 * test needs answers that the gateway gives rarely. It ends with the test.
 */
export const startStub = async (answer: Answer) => {
  const asked: StubRequest[] = []
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() }
    asked.push(one)
    answer(one, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  // A server that listens on a port has an address with a port.
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, asked }
}

/** Answers with JSON, as the gateway does. */
export const reply = (response: ServerResponse, status: number, body: unknown): void => {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body))
}

/** The gateway's answer to a request without a credential that it accepts. */
export const refuse = (response: ServerResponse): void =>
  reply(response, 401, {
    code: 'unauthenticated',
    status: 401,
    title: 'Not authenticated',
    detail: 'The ticket is not valid.',
    retryable: false,
  })
