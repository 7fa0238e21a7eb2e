/** What proxies that compress append to the tag: `"x-gzip"` (Apache, lighttpd), `"x--gzip"` (Jetty). */
const CODING = /(?:--?|;)(?:gzip|br|zstd|deflate)"$/

/**
 * Whether `If-None-Match` matches the ETag of the answer (RFC 9110, 13.1.2). It may be `*` or a
 * list, with weak tags too. The comparison is weak. A proxy that compresses changes the tag on the
 * way out, and does not always change it back. Such a tag names the same content.
 *
 * @param etag strong, with its quotes
 */
export const matchesETag = (ifNoneMatch: string | undefined, etag: string): boolean => {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  const tags = ifNoneMatch.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some((tag) => {
    const strong = tag.replace(/^W\//, '')
    return strong === etag || strong.replace(CODING, '"') === etag
  })
}
