import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** The committed OpenAPI document. These schemas describe only the parts that tests look at. */

const response = z.looseObject({
  description: z.string(),
  headers: z.record(z.string(), z.looseObject({ description: z.string() })).optional(),
  content: z
    .record(
      z.string(),
      z.looseObject({
        schema: z.unknown(),
        examples: z.record(z.string(), z.looseObject({ value: z.unknown() })).optional(),
      }),
    )
    .optional(),
})

const operation = z.looseObject({
  operationId: z.string(),
  summary: z.string(),
  tags: z.array(z.string()),
  parameters: z
    .array(z.looseObject({ name: z.string(), in: z.string(), description: z.string() }))
    .optional(),
  responses: z.record(z.string(), response),
})

const document = z.looseObject({
  openapi: z.string(),
  tags: z.array(z.looseObject({ name: z.string() })),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
  paths: z.record(z.string(), z.record(z.string(), operation)),
})

export type Operation = z.infer<typeof operation>

export const COMMITTED = readFileSync(
  new URL('../../openapi/openapi.json', import.meta.url),
  'utf8',
)

export const DOCUMENT = document.parse(JSON.parse(COMMITTED))

/** Every operation of the document. Names have the form `GET /path`. */
export const OPERATIONS: readonly { readonly name: string; readonly operation: Operation }[] =
  Object.entries(DOCUMENT.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  )

/** The problem codes that an operation documents. The examples of problems are named by them. */
export const problemCodes = ({ responses }: Operation): { status: string; code: string }[] =>
  Object.entries(responses).flatMap(([status, { content }]) =>
    Object.keys(content?.['application/problem+json']?.examples ?? {}).map((code) => ({
      status,
      code,
    })),
  )
