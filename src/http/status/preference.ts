/** The longest that `Prefer: wait` holds an answer. */
const LONGEST_WAIT_S = 60

/** What stands between the commas that are in no quoted string. */
const PREFERENCES = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g
const IS_WAIT = /^\s*wait\s*(?:[=;]|$)/i
const WAIT = /^\s*wait\s*=\s*("?)(\d+)\1\s*(?:;|$)/i

/**
 * Seconds from 0 to 60 of a `Prefer: wait=N` (RFC 7240, 2 and 4.3), or undefined when there is none or
 * it is malformed, which is then ignored. Of several, the first counts.
 */
export const waitPreference = (prefer: string | string[] | undefined): number | undefined => {
  const preferences = [prefer ?? ''].flat().join(',').match(PREFERENCES) ?? []
  const first = preferences.find((preference) => IS_WAIT.test(preference)) ?? ''
  const seconds = WAIT.exec(first)?.[2]
  return seconds === undefined ? undefined : Math.min(LONGEST_WAIT_S, Number(seconds))
}
