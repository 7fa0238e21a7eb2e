/**
 * Whether `If-None-Match` names what the caller would get (RFC 9110, 13.1.2): `*`, a list, weak forms;
 * the comparison is weak.
 *
 * @param etag strong, with its quotes
 */
export const matchesETag = (ifNoneMatch: string | undefined, etag: string): boolean => {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  const tags = ifNoneMatch.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some((tag) => tag.replace(/^W\//, '') === etag)
}
