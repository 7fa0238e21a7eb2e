/**
 * Whether one text becomes the other by one slip of a typist: a character that is left out, put in or
 * replaced, or two neighbours that changed places.
 */
export const isOneSlipAway = (one: string, other: string): boolean => {
  if (one === other) return false
  const [short, long] = one.length <= other.length ? [one, other] : [other, one]
  let at = 0
  while (at < short.length && short[at] === long[at]) at += 1
  const rest = short.slice(at + 1)
  if (short.length < long.length) return short.slice(at) === long.slice(at + 1)
  const isSwapped = short[at] === long[at + 1] && short[at + 1] === long[at]
  return rest === long.slice(at + 1) || (isSwapped && rest.slice(1) === long.slice(at + 2))
}
