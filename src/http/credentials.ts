import type { FastifyRequest } from 'fastify'
import type { Credential } from '../access/authenticator.ts'
import { Problem } from '../problems.ts'

const BEARER = /^bearer(?: +(.*))?$/i

/**
 * The credential that a request carries. An `Authorization` of another scheme than Bearer is meant
 * for somebody else, such as a proxy, and is no credential of the gateway.
 *
 * @param takesTicket whether the route takes a ticket in its query
 * @throws Problem `invalid-request` for more than one
 */
export const credentialOf = (
  request: FastifyRequest,
  takesTicket: boolean,
): Credential | undefined => {
  const { authorization, 'x-api-key': key } = request.headers
  // Most requests carry one key and nothing else. Node joins several keys by commas.
  if (
    !takesTicket &&
    authorization === undefined &&
    typeof key === 'string' &&
    !key.includes(',')
  ) {
    return { kind: 'key', value: key }
  }
  const all = credentialsOf(request, takesTicket)
  if (all.length > 1 || (all.length === 1 && mayHaveTwins(request) && hasTwins(request))) {
    throw new Problem('invalid-request', 'The request has more than one credential.')
  }
  return all[0]
}

/**
 * The credential that counts where nobody needs one. A ticket goes first, because it says less than
 * everything. What was meant for others does not matter.
 */
export const optionalCredentialOf = (
  request: FastifyRequest,
  takesTicket: boolean,
): Credential | undefined => {
  const all = credentialsOf(request, takesTicket)
  return all.find(({ kind }) => kind === 'ticket') ?? all[0]
}

const credentialsOf = (
  { headers, query }: FastifyRequest,
  takesTicket: boolean,
): readonly Credential[] => {
  const found: Credential[] = []
  const { authorization, 'x-api-key': key } = headers
  if (authorization !== undefined) {
    const [isBearer, token = ''] = BEARER.exec(authorization) ?? []
    if (isBearer !== undefined) found.push({ kind: 'bearer', value: token.trim() })
  }
  if (key !== undefined) found.push({ kind: 'key', value: String(key) })
  if (!takesTicket) return found
  // The query is an object of texts, or of lists of texts for parameters that come more than once.
  const { ticket } = query as Readonly<Record<string, string | readonly string[] | undefined>>
  for (const value of ticket === undefined ? [] : [ticket].flat()) {
    found.push({ kind: 'ticket', value })
  }
  return found
}

/**
 * Node drops the second `Authorization`, and joins several `X-Api-Key` by commas. Most requests have one
 * key without a comma, and need no look at their raw headers.
 */
const mayHaveTwins = ({ headers }: FastifyRequest): boolean =>
  headers.authorization !== undefined || String(headers['x-api-key']).includes(',')

const hasTwins = ({ raw: { rawHeaders } }: FastifyRequest): boolean => {
  let found = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length !== 13 && name.length !== 9) continue
    const lower = name.toLowerCase()
    if (lower === 'x-api-key' || (lower === 'authorization' && isBearer(rawHeaders[index + 1]))) {
      found += 1
    }
  }
  return found > 1
}

const isBearer = (value = ''): boolean => BEARER.test(value)
