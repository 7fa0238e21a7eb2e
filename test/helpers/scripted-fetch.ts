/**
 * A `fetch` whose answers the test writes down. Each request gets the next answer; after the last
 * answer every request gets that one.
 */

interface Asked {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly signal: AbortSignal | null
  readonly cache: string
}

export type Answer = (asked: Asked) => Response | Promise<Response>

export const scriptedFetch = (...answers: readonly Answer[]) => {
  const asked: Asked[] = []
  const fetch = async (input: string | URL | Request, init: RequestInit = {}) => {
    const { method = 'GET', signal = null, cache = 'default' } = init
    const one = { url: String(input), method, headers: new Headers(init.headers), signal, cache }
    asked.push(one)
    const answer = answers[asked.length - 1] ?? answers.at(-1)
    if (answer === undefined) throw new Error('the test has written no answer')
    return answer(one)
  }
  return { fetch, asked }
}

export const offline: Answer = () => Promise.reject(new TypeError('fetch failed'))

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  () =>
    Response.json(body, {
      status,
      headers: {
        'content-type': status < 400 ? 'application/json' : 'application/problem+json',
        ...headers,
      },
    })

interface StreamOptions {
  /** Whether the connection stays open after the chunks. */
  readonly open?: boolean
  /** Called when the client aborts the request. */
  readonly onCancel?: () => void
}

/** An event stream that consists of these chunks. */
export const stream =
  (chunks: readonly (string | Uint8Array<ArrayBuffer>)[], options: StreamOptions = {}): Answer =>
  ({ signal }) => {
    const { open = false, onCancel = () => {} } = options
    const body = new ReadableStream({
      start(controller) {
        for (const chunk of chunks) {
          controller.enqueue(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk)
        }
        if (!open) return controller.close()
        // A real body fails in the same way when its request is aborted.
        signal?.addEventListener('abort', () => {
          controller.error(signal.reason)
          onCancel()
        })
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }

export const event = (name: string, data: unknown, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

export const END = event('end', { reason: 'done' })
