/** The path below lemlist's base URL at which lemlist keeps its files. */
const FOLDER = '/files/exports/'
const LONGEST_NAME_BYTES = 255

/**
 * Returns the name of the file that a `status.url` links to, or undefined when the link is not
 * clearly a file of lemlist. The gateway never fetches the URL itself: it builds the path again
 * from the name. The URL is compared as text, because parsers differ in how they read backslashes,
 * dots and unusual characters.
 *
 * @param bases base URLs without a trailing slash, below which files may be
 */
export const fileNameOf = (url: unknown, bases: readonly string[]): string | undefined => {
  if (typeof url !== 'string') return undefined
  const folder = bases.map((base) => `${base}${FOLDER}`).find((known) => url.startsWith(known))
  if (folder === undefined) return undefined
  const name = decoded(url.slice(folder.length))
  return name !== undefined && isFileName(name) ? name : undefined
}

const decoded = (segment: string): string | undefined => {
  // With a query, a fragment, a second segment or white space the text is more than a file name.
  if (/[/\\?#\s]/.test(segment)) return undefined
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

const isFileName = (name: string): boolean => {
  // Software between the gateway and lemlist may turn a look-alike into a real dot or slash (NFKC),
  // drop invisible characters (Cf), or decode the name once more. The name must be safe even then.
  const plain = name.normalize('NFKC').replace(/\p{Cf}/gu, '')
  return (
    name !== '' &&
    name.isWellFormed() &&
    Buffer.byteLength(name) <= LONGEST_NAME_BYTES &&
    !/[/\\%\p{Cc}]/u.test(plain) &&
    !/^\.{0,2}$/.test(plain)
  )
}
