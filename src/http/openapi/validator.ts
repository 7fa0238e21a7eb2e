import type { FastifySchemaCompiler } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { type ZodType, z } from 'zod'
import { exportParams } from './schemas.ts'
import { soundExportIds } from './sound-ids.ts'

/**
 * Checks the input of requests by their schemas. A general parse costs more than all else that a route
 * does for a cached answer, so it runs only where it can find something: for ids that are not sound,
 * and for headers and parameters of the query that are there.
 */
export const inputValidator: FastifySchemaCompiler<ZodType> = (route) => {
  const { schema, httpPart } = route
  const parse = validatorCompiler(route)
  if (schema === exportParams) return (ids) => soundExportIds(ids) ?? parse(ids)
  const isOften = httpPart === 'headers' || httpPart === 'querystring'
  if (!isOften || !(schema instanceof z.ZodObject)) return parse
  // The value of a header is a text. Where each text will do, a check can find nothing.
  const names = Object.entries(schema.shape)
    .filter(([, field]) => httpPart !== 'headers' || !takesEachText(field))
    .map(([name]) => name)
  // Where one of them is needed, its absence is a fault. Where one has a default, its absence is a value.
  const { data } = schema.safeParse({})
  if (data === undefined || Object.keys(data).length > 0) return parse
  return (sent) => {
    for (const name of names) if (sent[name] !== undefined) return parse(sent)
    return true
  }
}

const takesEachText = (field: ZodType): boolean =>
  field instanceof z.ZodOptional &&
  field.def.innerType instanceof z.ZodString &&
  (field.def.innerType.def.checks ?? []).length === 0
