/** The longest that `Prefer: wait` holds an answer. */
const LONGEST_WAIT_S = 60

const WAIT = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=[;,]|$)/i

/**
 * Seconds from 0 to 60 of a `Prefer: wait=N` (RFC 7240, 4.3), or undefined when there is none or it is
 * malformed, which is then ignored.
 */
export const waitPreference = (prefer: string | string[] | undefined): number | undefined => {
  const seconds = WAIT.exec([prefer ?? ''].flat().join(','))?.[1]
  return seconds === undefined ? undefined : Math.min(LONGEST_WAIT_S, Number(seconds))
}
