import fc from 'fast-check'

/** Texts and bytes for the tests of parsers: much that is nearly right, and some that is random. */

const TELLING = fc.constantFrom(
  ...['\r', '\n', '\0', ' ', '\t', ',', ';', '=', '"', '\\', '/', '%', '%00', '?', '#', '@', ':'],
  ...['-', '+', '.', '*', '[', ']', '{', '}', 'NaN', '1e999', '-0', '9'.repeat(400), '\ufeff'],
  ...['\ud800', 'é', '．', 'null', '__proto__', 'constructor', 'W/', 'a'.repeat(300)],
)

/** These texts with pieces put in, left out or replaced, and any other text. */
export const nearly = (...texts: readonly string[]): fc.Arbitrary<string> => {
  const change = fc.tuple(fc.nat(), fc.nat({ max: 6 }), fc.oneof(TELLING, fc.string()))
  const changed = fc
    .tuple(fc.constantFrom(...texts), fc.array(change, { maxLength: 3 }))
    .map(([text, changes]) =>
      changes.reduce((now, [place, cut, put]) => {
        const at = place % (now.length + 1)
        return now.slice(0, at) + put + now.slice(at + cut)
      }, text),
    )
  const any = fc.string({ unit: 'binary' })
  return fc.oneof(
    { weight: 6, arbitrary: changed },
    any,
    fc.array(TELLING).map((all) => all.join('')),
  )
}

/** What the attempt returns, or the error of this class that it throws. Other errors go on. */
export const outcomeOf = <Value, Known extends Error>(
  attempt: () => Value,
  known: abstract new (...given: never[]) => Known,
): Value | Known => {
  try {
    return attempt()
  } catch (error) {
    if (error instanceof known) return error
    throw error
  }
}
