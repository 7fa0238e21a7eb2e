/** The longest time that `Prefer: wait` holds an answer, seconds. */
const LONGEST_WAIT_S = 60

/** Each preference: the text between commas. A comma inside a quoted string does not count. */
const PREFERENCES = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g
const IS_WAIT = /^\s*wait\s*(?:[=;]|$)/i
const WAIT = /^\s*wait\s*=\s*("?)(\d+)\1\s*(?:;|$)/i

/**
 * The seconds of `Prefer: wait=N` (RFC 7240, 2 and 4.3), from 0 to 60; more counts as 60. Undefined
 * when there is no `wait` or when it is malformed: a malformed preference is ignored. The first of
 * several counts.
 */
export const waitPreference = (prefer: string | string[] | undefined): number | undefined => {
  // Most requests have no preference.
  if (prefer === undefined) return undefined
  const preferences = [prefer].flat().join(',').match(PREFERENCES) ?? []
  const first = preferences.find((preference) => IS_WAIT.test(preference)) ?? ''
  const seconds = WAIT.exec(first)?.[2]
  return seconds === undefined ? undefined : Math.min(LONGEST_WAIT_S, Number(seconds))
}
