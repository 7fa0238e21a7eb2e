import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { doneBody } from './status-bodies.ts'

export interface FileCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Resolves when the call is answered or its connection is closed. */
  readonly closed: Promise<void>
}

export interface FileUpstream {
  /** A base URL, on 127.0.0.1. */
  readonly url: string
  /** Resolves to the nth call for a file once it has arrived; the first is number 0. */
  call(index: number): Promise<FileCall>
  /** How many calls for a file have arrived. */
  calls(): number
}

/** A lemlist whose scripted export is done. The test itself sends the files, piece by piece. */
export const listenForFiles = async (): Promise<FileUpstream> => {
  const calls: FileCall[] = []
  const waiting = new Map<number, (call: FileCall) => void>()
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/api/files/') !== true) {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(doneBody())
      return
    }
    // The gateway asks again when a reused socket is reset. Here every call has a new socket.
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
