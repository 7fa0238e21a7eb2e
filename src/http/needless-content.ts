import type { IncomingMessage } from 'node:http'

/**
 * Whether a request sends content. Resolves at the first byte, or at the end. `Transfer-Encoding`
 * alone does not tell: a proxy that takes HTTP/2 from its callers may learn only later that no byte
 * comes, and then it has already promised us chunks.
 *
 * The wait is bounded, because a whole request must arrive within the server's time-out.
 *
 * @returns 'broken' when the sender left, or sent something that is no chunk
 */
export const contentOf = (request: IncomingMessage): Promise<'none' | 'some' | 'broken'> =>
  new Promise((resolve) => {
    const onData = (): void => {
      request.pause()
      resolve('some')
    }
    // After the first call of `resolve` the others have no effect.
    request.once('data', onData)
    request.once('end', () => resolve('none'))
    request.once('close', () => resolve('broken'))
  })
