import type { FastifySchema } from 'fastify'

/** Whether a route that Fastify has registered is a HEAD. */
export const isHead = (method: string | readonly string[]): boolean =>
  [method].flat().includes('HEAD')

/** What only a GET can have: a range counts for a GET alone (RFC 9110, 14.2). */
const RANGED = ['206', '416']

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Describes the HEAD of a route by its GET, from the schema of the document. HEAD has the same
 * headers and no content. Without its description, a proxy that checks requests against the document
 * refuses HEAD.
 */
export const describeHead = (schema: FastifySchema): FastifySchema => {
  const { operationId = '', summary, description, response, headers, ...rest } = schema
  const { range: _, ...properties } = propertiesOf(headers)
  return {
    ...rest,
    // @fastify/swagger has appended `-head`. The ids of this document are plain words.
    operationId: operationId.replace(/-head$/, 'Head'),
    summary: `${summary}: the headers alone`,
    ...(description !== undefined && { description: `Like GET, without a body. ${description}` }),
    ...(Object.keys(properties).length > 0 && { headers: { type: 'object', properties } }),
    response: Object.fromEntries(
      Object.entries(isObject(response) ? response : {})
        .filter(([status]) => !RANGED.includes(status))
        .map(([status, documented]) => [status, withoutContent(documented)]),
    ),
  }
}

const propertiesOf = (schema: unknown): Json =>
  isObject(schema) && isObject(schema.properties) ? schema.properties : {}

const withoutContent = (documented: unknown): unknown => {
  if (!isObject(documented)) return documented
  const { content: _, ...rest } = documented
  // Without a type the document would say that the response has a JSON body.
  return { ...rest, type: 'null' }
}
