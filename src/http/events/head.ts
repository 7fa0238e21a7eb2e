import type { ServerResponse } from 'node:http'

/** Names and values in turn, as Node sends them. Those of an object it would look up one by one. */
const HEADERS = [
  'content-type',
  // Without the charset, Python's requests reads any `text/…` as ISO-8859-1.
  'text/event-stream; charset=utf-8',
  'cache-control',
  'no-store, no-transform',
  'x-accel-buffering',
  'no',
  'x-content-type-options',
  'nosniff',
] as const

/** Prepares the head of a stream. Headers that were set on the response before are sent, too. */
export const writeStreamHead = (response: ServerResponse, requestId: string): void => {
  response.writeHead(200, [...HEADERS, 'x-request-id', requestId])
}
