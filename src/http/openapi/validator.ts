import type { FastifySchemaCompiler } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { type ZodType, z } from 'zod'
import { areExportIds, exportParams } from './schemas.ts'

/**
 * Checks the input of requests by their schemas. A general parse costs more than all else that a route
 * does for a cached answer, so it runs only where it can find something: for ids that are not sound,
 * and for headers that are there.
 */
export const inputValidator: FastifySchemaCompiler<ZodType> = (route) => {
  const { schema, httpPart } = route
  const parse = validatorCompiler(route)
  if (schema === exportParams) return (ids) => areExportIds(ids) || parse(ids)
  if (httpPart !== 'headers' || !(schema instanceof z.ZodObject)) return parse
  const names = Object.keys(schema.shape)
  // Where a header is needed, its absence is a fault.
  if (!schema.safeParse({}).success) return parse
  return (headers) => !names.some((name) => headers[name] !== undefined) || parse(headers)
}
