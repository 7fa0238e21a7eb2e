import { toProblem } from './failures.ts'

/** What became of a call to lemlist, in a few words, for the metrics. */
export type Outcome =
  | 'ok'
  | 'not-found'
  | 'unauthorized'
  | 'rate-limited'
  | 'rejected'
  | 'server-error'
  | 'timeout'
  | 'network'
  | 'malformed'

/** @param status of HTTP. A range that a file does not have (416) is a sound answer. */
export const outcomeOfStatus = (status: number): Outcome => {
  if (status < 300 || status === 416) return 'ok'
  if (status === 401 || status === 403) return 'unauthorized'
  if (status === 404) return 'not-found'
  if (status === 429) return 'rate-limited'
  return status < 500 ? 'rejected' : 'server-error'
}

export const outcomeOfError = (error: unknown): Outcome => {
  const { code } = toProblem(error)
  if (code === 'upstream-timeout') return 'timeout'
  return code === 'upstream-invalid' ? 'malformed' : 'network'
}
