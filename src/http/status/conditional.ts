/**
 * Whether `If-None-Match` matches the ETag of the answer (RFC 9110, 13.1.2). It may be `*` or a
 * list, with weak tags too. The comparison is weak.
 *
 * @param etag strong, with its quotes
 */
export const matchesETag = (ifNoneMatch: string | undefined, etag: string): boolean => {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  const tags = ifNoneMatch.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some((tag) => tag.replace(/^W\//, '') === etag)
}
