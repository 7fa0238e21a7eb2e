import { createHash } from 'node:crypto'
import type { ExportRef, Snapshot } from '../../exports/export.ts'

/**
 * The body that callers get: lemlist's bytes, unchanged or with the gateway's link to the file. It is
 * a string, because Node sends a string in one piece with the headers. lemlist's bytes are UTF-8, so no
 * byte changes on the way.
 */
export interface Body {
  readonly text: string
  /** The length of the text in bytes, as the header `Content-Length` tells it. */
  readonly bytes: string
  /** How Node makes bytes of the text. ASCII is the same in both, and Node copies Latin-1 as it is. */
  readonly encoding: 'latin1' | 'utf8'
  /** A strong ETag. Each form of the body has its own, so that a cache never mixes up the forms. */
  readonly etag: string
}

type Ids = Pick<ExportRef, 'campaignId' | 'exportId'>

export interface Bodies {
  /** Made once for each snapshot. */
  bodyOf(snapshot: Snapshot, ref: Ids): Body
  /**
   * The text alone, made anew and not remembered. For streams, which read a body once: what is remembered
   * for a snapshot outlives it until the next large garbage collection.
   */
  makeBody(snapshot: Snapshot, ref: Ids): string
}

const textOf = ({ body }: Snapshot): string =>
  Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()

/** @param form what follows the version in an ETag */
const bodiesBy = (makeBody: Bodies['makeBody'], form = ''): Bodies => {
  const made = new WeakMap<Snapshot, Body>()
  return {
    makeBody,
    bodyOf: (snapshot, ref) => {
      let body = made.get(snapshot)
      if (body === undefined) {
        const text = makeBody(snapshot, ref)
        const length = Buffer.byteLength(text)
        const encoding = length === text.length ? 'latin1' : 'utf8'
        const etag = `"${snapshot.version}${form}"`
        body = { text, bytes: String(length), encoding, etag }
        made.set(snapshot, body)
      }
      return body
    },
  }
}

/**
 * @param publicUrl where callers reach the gateway, without a trailing slash; undefined with
 * `FILE_URLS=upstream`
 */
export const bodiesFor = (publicUrl: string | undefined): Bodies =>
  publicUrl === undefined ? verbatimBodies : gatewayBodies(publicUrl)

/** `FILE_URLS=upstream`: lemlist's JSON, byte for byte. */
export const verbatimBodies: Bodies = bodiesBy(textOf)

/**
 * `FILE_URLS=gateway`: `status.url` is the URL of the gateway's file route. lemlist's own link
 * opens the file for everybody who has the link, so it is nowhere in the body. Numbers keep their
 * digits.
 *
 * @param publicUrl where callers reach the gateway, without a trailing slash
 */
export const gatewayBodies = (publicUrl: string): Bodies => {
  // With another public URL the same version has other bytes, so the ETag depends on the URL, too.
  const form = createHash('sha256').update(publicUrl).digest('base64url').slice(0, 6)
  return bodiesBy(
    (snapshot, { campaignId, exportId }) =>
      rewrite(textOf(snapshot), `${publicUrl}/campaigns/${campaignId}/export/${exportId}/file`),
    `.${form}`,
  )
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

const rewrite = (text: string, url: string): string => {
  // The body was checked when it came from lemlist: it is an object, and so is its `status`.
  const { status } = JSON.parse(text) as { status: Record<string, unknown> }
  const theirs = status.url
  if (theirs === undefined || theirs === null) return text
  const isLink = typeof theirs === 'string' && /^https?:/i.test(theirs)
  const document = parse(text, (_key, value, { source }) => {
    if (typeof value === 'number' && source !== undefined) return rawJSON(source)
    // A link is replaced everywhere in the body. A `url` that is no link may be a common word,
    // which other fields use too, so only `status.url` is replaced then.
    return isLink && typeof value === 'string' ? value.replaceAll(theirs, url) : value
  }) as { status: Record<string, unknown> }
  document.status.url = url
  return JSON.stringify(document)
}
