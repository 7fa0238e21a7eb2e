import { createServer, type Server } from 'node:http'
import { Problem, toDocument } from '../problems.ts'

/** The second listener, for the operator's network alone. It wants no credential. */
export interface OpsServer {
  /** Opens the port. Resolves to the port that is open. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>
  close(): Promise<void>
}

export interface Page {
  readonly contentType: string
  /**
   * Makes the answer. Its status is 200 where the page names none.
   *
   * @throws Problem for a query that it does not know
   */
  text(query: URLSearchParams): Promise<string | { readonly code: number; readonly text: string }>
}

const PROBLEM_TYPE = 'application/problem+json'

/** @param pages by their path */
export const createOpsServer = (pages: Readonly<Record<string, Page>>): OpsServer => {
  const answerOf = async (method: string, path: string, query: URLSearchParams) => {
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    if (page === undefined) throw new Problem('not-found', 'There is no such route.')
    if (method !== 'GET' && method !== 'HEAD') {
      throw new Problem('method-not-allowed', 'This route has no such method.', {
        allow: 'GET, HEAD',
      })
    }
    const made = await page.text(query)
    const { code, text } = typeof made === 'string' ? { code: 200, text: made } : made
    return { status: code, type: page.contentType, allow: undefined, text }
  }
  const refusalOf = (error: unknown) => {
    const problem =
      error instanceof Problem ? error : new Problem('internal', 'The page cannot be made.')
    return {
      ...{ status: problem.status, type: PROBLEM_TYPE, allow: problem.options.allow },
      text: JSON.stringify(toDocument(problem, '')),
    }
  }
  const server: Server = createServer(
    { requestTimeout: 5_000, headersTimeout: 4_000, maxHeaderSize: 16 * 1_024 },
    async ({ method = '', url = '' }, response) => {
      const [path = '', ...query] = url.split('?')
      const sought = new URLSearchParams(query.join('?'))
      const answer = await answerOf(method, path, sought).catch(refusalOf)
      response.writeHead(answer.status, {
        ...{ 'content-type': answer.type, 'cache-control': 'no-store' },
        ...(answer.allow !== undefined && { allow: answer.allow }),
      })
      response.end(method === 'HEAD' ? undefined : answer.text)
    },
  )
  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host: host.replace(/^\[|\]$/g, ''), port }, () => {
          server.off('error', reject)
          const address = server.address()
          resolve(typeof address === 'object' && address !== null ? address.port : port)
        })
      }),
    close: () =>
      new Promise((resolve) => {
        if (!server.listening) return resolve()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
