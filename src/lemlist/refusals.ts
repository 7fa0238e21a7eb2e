import { campaignMissing } from '../exports/ends.ts'
import { Problem } from '../problems.ts'

/** An answer of lemlist other than the one asked for, with its body or the beginning of it. */
interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
}

/**
 * The problem for an answer that the gateway cannot use.
 *
 * @param why the reason for the log, in the gateway's own words; nothing of lemlist's answer may be
 * in it
 */
export const invalid = (why: string): Problem =>
  new Problem('upstream-invalid', 'lemlist gave an answer that the gateway cannot use.', {
    cause: new Error(why),
  })

/** The content type without its parameters, in lower case. */
export const essence = (contentType: string | string[] | undefined): string | undefined =>
  typeof contentType === 'string' ? contentType.split(';', 1)[0]?.trim().toLowerCase() : undefined

/**
 * The problem for an answer other than 200. The body is searched for a few words, and nothing of it
 * is passed on.
 */
export const refusalOf = ({ status, headers, body }: Refusal): Problem => {
  if (status === 401 || status === 403) return credentials(status)
  if (status === 429) {
    return new Problem('budget-exhausted', 'lemlist asks the gateway to wait.', {
      retryAfterMs: 1_000,
    })
  }
  if (status >= 500) {
    return new Problem('upstream-unavailable', 'lemlist answers with a server error.', {
      retryAfterMs: 5_000,
      cause: new Error(`status ${status}`),
    })
  }
  const text = Buffer.from(body).toString().trimStart()
  // An HTML page comes from a server in front of lemlist, which knows nothing about campaigns and
  // exports.
  const isPage = text.startsWith('<') || essence(headers['content-type']) === 'text/html'
  if (status === 400 && !isPage) return badRequest(text)
  if (status === 404 && !isPage) return notFound(text)
  return invalid(`status ${status}`)
}

const credentials = (status: number): Problem =>
  new Problem('upstream-credentials', 'lemlist refuses the API key that the gateway holds.', {
    cause: new Error(`status ${status}`),
  })

const badRequest = (text: string): Problem => {
  if (/no api key/i.test(text)) return credentials(400)
  if (/bad (team|params)/i.test(text)) return campaignNotFound(400)
  return invalid('status 400')
}

export const campaignNotFound = (upstreamStatus: number): Problem =>
  campaignMissing({ upstreamStatus })

const notFound = (text: string): Problem => {
  if (/no user found/i.test(text)) return credentials(404)
  if (/campaign not found/i.test(text)) return campaignNotFound(404)
  return new Problem('export-not-found', 'lemlist does not know this export (any more).', {
    upstreamStatus: 404,
  })
}
