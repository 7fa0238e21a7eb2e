import { Problem } from '../problems.ts'

/** An answer of lemlist that is not what was asked for, its body or the beginning of it. */
interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
}

/** @param why for the log: a phrase of ours, nothing of lemlist's */
export const invalid = (why: string): Problem =>
  new Problem('upstream-invalid', 'lemlist gave an answer that cannot be used.', {
    cause: new Error(why),
  })

/** The type of a body without its parameters, in lower case. */
export const essence = (contentType: string | string[] | undefined): string | undefined =>
  typeof contentType === 'string' ? contentType.split(';', 1)[0]?.trim().toLowerCase() : undefined

/** The problem behind an answer other than 200. Its body is read for a few words and never passed on. */
export const refusalOf = ({ status, headers, body }: Refusal): Problem => {
  if (status === 401 || status === 403) return credentials(status)
  if (status === 429) {
    return new Problem('budget-exhausted', 'lemlist asks the gateway to wait.', {
      retryAfterMs: 1_000,
    })
  }
  if (status >= 500) {
    return new Problem('upstream-unavailable', 'lemlist has trouble of its own.', {
      retryAfterMs: 5_000,
      cause: new Error(`status ${status}`),
    })
  }
  const text = Buffer.from(body).toString().trimStart()
  // A page comes from something in between: it knows nothing of campaigns and exports.
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
  new Problem('campaign-not-found', 'lemlist knows no such campaign for this account.', {
    upstreamStatus,
  })

const notFound = (text: string): Problem => {
  if (/no user found/i.test(text)) return credentials(404)
  if (/campaign not found/i.test(text)) return campaignNotFound(404)
  return new Problem('export-not-found', 'lemlist knows no such export, or not any more.', {
    upstreamStatus: 404,
  })
}
