import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
} from 'fastify-type-provider-zod'
import { z } from 'zod'
import { describeHead, isHead } from './head.ts'
import { COMMON_PROBLEMS, NO_CONTENT, problemResponses, REQUEST_ID } from './responses.ts'
import { SECURITY_SCHEMES } from './security.ts'
import { serversAt } from './servers.ts'
import { swaggerUiRoutes } from './swagger-ui.ts'

interface OpenApiOptions {
  /** Whether Swagger UI is served at `/docs/`. The document itself is always served. */
  readonly ui: boolean
}

const transform = createJsonSchemaTransform({ zodToJsonConfig: { target: 'draft-2020-12' } })
const transformObject = createJsonSchemaTransformObject({
  zodToJsonConfig: { target: 'draft-2020-12' },
})

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The type provider keeps the schemas of a response and drops its headers and examples. This
 * function puts them back.
 */
const keepResponseDetails = (source: FastifySchema, target: FastifySchema): void => {
  if (!isObject(source.response) || !isObject(target.response)) return
  for (const [status, documented] of Object.entries(source.response)) {
    const made = target.response[status]
    if (!isObject(documented) || !isObject(made)) continue
    if (documented.headers !== undefined) made.headers = documented.headers
    copyExamples(documented.content, made.content)
    if (isObject(made.content) && NO_CONTENT in made.content) {
      delete made.content
      // Without a type the document would say that the response has a JSON body.
      made.type = 'null'
    }
  }
}

const copyExamples = (source: unknown, target: unknown): void => {
  if (!isObject(source) || !isObject(target)) return
  for (const [type, documented] of Object.entries(source)) {
    const made = target[type]
    if (!isObject(documented) || !isObject(made)) continue
    if (documented.examples !== undefined) made.examples = documented.examples
  }
}

/**
 * The type provider adds each named schema twice, for input and for output. This function removes
 * those that nothing refers to, until all that are left are used: one may refer to another one.
 */
const pruneComponents = (document: Json): Json => {
  const { components } = document
  if (!isObject(components) || !isObject(components.schemas)) return document
  const { schemas } = components
  const text = JSON.stringify(document)
  const used = Object.entries(schemas).filter(([name]) =>
    text.includes(`"#/components/schemas/${name}"`),
  )
  const rest = { ...document, components: { ...components, schemas: Object.fromEntries(used) } }
  return used.length < Object.keys(schemas).length ? pruneComponents(rest) : rest
}

/** The version of the gateway, as package.json has it. */
export const version = (): string => {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  )
  return isObject(manifest) && typeof manifest.version === 'string' ? manifest.version : '0.0.0'
}

/**
 * Serves the OpenAPI 3.1 document as JSON, as YAML and as Swagger UI. The document is made of the
 * schemas of the routes.
 */
export const documentRoutes = async (app: FastifyInstance, { ui }: OpenApiOptions) => {
  await app.register(swagger, {
    exposeHeadRoutes: true,
    // The plugin would parse the URLs of the servers, and fail at a relative one.
    stripBasePath: false,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'lemlist export gateway',
        version: version(),
        license: { name: 'MIT', identifier: 'MIT' },
        description:
          "The gateway serves and pushes the status of lemlist campaign exports to frontends that hold no lemlist credential. Paths and bodies mirror lemlist's. Problems follow RFC 9457.",
      },
      servers: serversAt('.'),
      tags: [
        {
          name: 'exports',
          description: 'Start, read, watch and download exports of campaign statistics.',
        },
        { name: 'access', description: 'Tickets for clients that cannot send headers.' },
        { name: 'client', description: 'The typed client, for frontends.' },
        { name: 'health', description: 'For load balancers and orchestrators.' },
        { name: 'documentation', description: 'This document and the live page.' },
      ],
      security: [],
      components: { securitySchemes: SECURITY_SCHEMES },
    },
    transform: (route) => {
      const made = transform(route)
      keepResponseDetails(route.schema, made.schema)
      return isHead(route.route.method) ? { ...made, schema: describeHead(made.schema) } : made
    },
    transformObject: (document) =>
      // Pruning only removes components, so the result is of the same type as its argument.
      pruneComponents(transformObject(document) as Json) as ReturnType<typeof transformObject>,
  })
  app.get(
    '/openapi.json',
    { schema: documentSchema('Json', 'application/json', DOCUMENT), config: OPEN },
    (request, reply) =>
      reply
        .header('x-request-id', request.id)
        .type('application/json')
        .send(JSON.stringify(app.swagger(), undefined, 2)),
  )
  app.get(
    '/openapi.yaml',
    { schema: documentSchema('Yaml', 'application/yaml', z.string()), config: OPEN },
    (request, reply) =>
      reply
        .header('x-request-id', request.id)
        .type('application/yaml')
        .send(app.swagger({ yaml: true })),
  )
  if (ui) await swaggerUiRoutes(app)
}

const OPEN = { open: true }

const DOCUMENT = z
  .looseObject({ openapi: z.string() })
  .meta({ description: 'A document as OpenAPI 3.1 defines it.' })

const documentSchema = (form: string, type: string, schema: z.ZodType): FastifySchema => ({
  operationId: `getOpenApi${form}`,
  tags: ['documentation'],
  summary: `This document as ${form.toUpperCase()}`,
  response: {
    200: {
      description: 'The document, as OpenAPI 3.1.',
      headers: REQUEST_ID,
      content: { [type]: { schema } },
    },
    ...problemResponses(...COMMON_PROBLEMS),
  },
})
