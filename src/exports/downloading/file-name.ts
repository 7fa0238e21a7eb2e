/** The path of lemlist's files, below its base URL. */
const FOLDER = '/files/exports/'
const LONGEST_NAME_BYTES = 255

/**
 * The name of the file behind a `status.url`, or undefined when that is not plainly a file of lemlist's.
 * The URL itself is never fetched: its path is built again from the name. It is compared as text, since
 * every parser has its own idea of backslashes, dots and odd characters.
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
  // A query, a fragment or another segment: more than a name.
  if (/[/\\?#\s]/.test(segment)) return undefined
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

const isFileName = (name: string): boolean => {
  // What looks like a dot or a slash may become one on the way, what nobody sees may get lost, and
  // what is still encoded may be decoded once more.
  const plain = name.normalize('NFKC').replace(/\p{Cf}/gu, '')
  return (
    name !== '' &&
    name.isWellFormed() &&
    Buffer.byteLength(name) <= LONGEST_NAME_BYTES &&
    !/[/\\%\p{Cc}]/u.test(plain) &&
    !/^\.{0,2}$/.test(plain)
  )
}
