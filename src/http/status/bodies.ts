import { createHash } from 'node:crypto'
import type { ExportRef, Snapshot } from '../../exports/export.ts'

/** What callers see of lemlist's JSON: its bytes, or those with our own link to the file in them. */
export interface Bodies {
  bodyOf(snapshot: Snapshot, ref: Pick<ExportRef, 'campaignId' | 'exportId'>): Uint8Array
  /** Strong: one for each form, so that a cache never shows the other form's bytes. */
  etagOf(snapshot: Snapshot): string
}

/** @param publicUrl set with `FILE_URLS=gateway`: where callers reach the gateway, without a trailing slash */
export const bodiesFor = (publicUrl: string | undefined): Bodies =>
  publicUrl === undefined ? verbatimBodies : gatewayBodies(publicUrl)

/** `FILE_URLS=upstream`: byte for byte. */
export const verbatimBodies: Bodies = {
  bodyOf: ({ body }) => body,
  etagOf: ({ version }) => `"${version}"`,
}

/**
 * `FILE_URLS=gateway`: `status.url` leads to the gateway's file route, and lemlist's own link, which
 * opens the file for whoever has it, is nowhere in the body. Numbers keep their digits.
 *
 * @param publicUrl where callers reach the gateway, without a trailing slash
 */
export const gatewayBodies = (publicUrl: string): Bodies => {
  const rewritten = new WeakMap<Snapshot, Uint8Array>()
  // Another public URL makes other bytes of the same version.
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

/** JSON.parse with the source text of primitives, and JSON.rawJSON: not yet in the compiler's library. */
interface SourceTextJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
}
// Node has had both since 21; the check at run time is the type's own test.
const { parse, rawJSON } = JSON as unknown as SourceTextJson

const rewrite = (body: Uint8Array, url: string): Uint8Array => {
  const text = Buffer.from(body).toString()
  // The body was checked when it came: an object with an object `status`.
  const { status } = JSON.parse(text) as { status: Record<string, unknown> }
  const theirs = status.url
  if (theirs === undefined || theirs === null) return body
  const isLink = typeof theirs === 'string' && /^https?:/i.test(theirs)
  const document = parse(text, (_key, value, { source }) => {
    if (typeof value === 'number' && source !== undefined) return rawJSON(source)
    // Also where it is repeated. What is no link is a word that others may use too.
    return isLink && typeof value === 'string' ? value.replaceAll(theirs, url) : value
  }) as { status: Record<string, unknown> }
  document.status.url = url
  return Buffer.from(JSON.stringify(document))
}
