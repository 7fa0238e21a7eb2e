import { createHash } from 'node:crypto'
import type { ExportRef, Snapshot } from '../../exports/export.ts'

/** The body that callers get: lemlist's bytes, unchanged or with the gateway's link to the file. */
export interface Bodies {
  bodyOf(snapshot: Snapshot, ref: Pick<ExportRef, 'campaignId' | 'exportId'>): Uint8Array
  /** A strong ETag. Each form of the body has its own, so that a cache never mixes up the forms. */
  etagOf(snapshot: Snapshot): string
}

/**
 * @param publicUrl where callers reach the gateway, without a trailing slash; undefined with
 * `FILE_URLS=upstream`
 */
export const bodiesFor = (publicUrl: string | undefined): Bodies =>
  publicUrl === undefined ? verbatimBodies : gatewayBodies(publicUrl)

/** `FILE_URLS=upstream`: lemlist's JSON, byte for byte. */
export const verbatimBodies: Bodies = {
  bodyOf: ({ body }) => body,
  etagOf: ({ version }) => `"${version}"`,
}

/**
 * `FILE_URLS=gateway`: `status.url` is the URL of the gateway's file route. lemlist's own link
 * opens the file for everybody who has the link, so it is nowhere in the body. Numbers keep their
 * digits.
 *
 * @param publicUrl where callers reach the gateway, without a trailing slash
 */
export const gatewayBodies = (publicUrl: string): Bodies => {
  const rewritten = new WeakMap<Snapshot, Uint8Array>()
  // With another public URL the same version has other bytes, so the ETag depends on the URL, too.
  const form = createHash('sha256').update(publicUrl).digest('base64url').slice(0, 6)
  return {
    bodyOf: (snapshot, { campaignId, exportId }) => {
      const known = rewritten.get(snapshot)
      if (known !== undefined) return known
      const url = `${publicUrl}/campaigns/${campaignId}/export/${exportId}/file`
      const body = rewrite(snapshot.body, url)
      rewritten.set(snapshot, body)
      return body
    },
    etagOf: ({ version }) => `"${version}.${form}"`,
  }
}

/**
 * `JSON.parse` with the source text of primitives, and `JSON.rawJSON`. The compiler's library does
 * not declare them yet.
 */
interface SourceTextJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
}
// Node has had both since version 21. The tests of the rewritten body fail where they are missing.
const { parse, rawJSON } = JSON as unknown as SourceTextJson

const rewrite = (body: Uint8Array, url: string): Uint8Array => {
  const text = Buffer.from(body).toString()
  // The body was checked when it came from lemlist: it is an object, and so is its `status`.
  const { status } = JSON.parse(text) as { status: Record<string, unknown> }
  const theirs = status.url
  if (theirs === undefined || theirs === null) return body
  const isLink = typeof theirs === 'string' && /^https?:/i.test(theirs)
  const document = parse(text, (_key, value, { source }) => {
    if (typeof value === 'number' && source !== undefined) return rawJSON(source)
    // A link is replaced everywhere in the body. A `url` that is no link may be a common word,
    // which other fields use too, so only `status.url` is replaced then.
    return isLink && typeof value === 'string' ? value.replaceAll(theirs, url) : value
  }) as { status: Record<string, unknown> }
  document.status.url = url
  return Buffer.from(JSON.stringify(document))
}
