import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { doneBody } from './status-bodies.ts'

export interface FileCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Resolves when its connection is gone or it is answered. */
  readonly closed: Promise<void>
}

export interface FileUpstream {
  /** A base URL, on 127.0.0.1. */
  readonly url: string
  /** The nth call for a file, once it has come, counted from 0. */
  call(index: number): Promise<FileCall>
  /** How many have come. */
  calls(): number
}

/** A lemlist whose scripted export is done; its files are sent by the test, piece by piece. */
export const listenForFiles = async (): Promise<FileUpstream> => {
  const calls: FileCall[] = []
  const waiting = new Map<number, (call: FileCall) => void>()
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/api/files/') !== true) {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(doneBody())
      return
    }
    // A used socket that is reset would have the gateway ask once more.
    response.shouldKeepAlive = false
    const closed = new Promise<void>((resolve) => response.once('close', resolve))
    const call = { request, response, closed }
    waiting.get(calls.length)?.(call)
    calls.push(call)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}/api`,
    calls: () => calls.length,
    call: async (index) => {
      const known = calls[index]
      if (known !== undefined) return known
      return new Promise((resolve) => waiting.set(index, resolve))
    },
  }
}
