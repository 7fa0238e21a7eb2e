import Fastify from 'fastify'

/** Says what is wrong with a value, or undefined when the value matches. */
export type Judge = (value: unknown) => string | undefined

/**
 * Makes judges from JSON Schemas. It uses Ajv, the validator that Fastify brings along. The document
 * is made by zod, so zod is no witness for it. Nothing is coerced, filled in or left out.
 *
 * @param document holds what the schemas refer to, such as `#/components/schemas/Problem`
 */
export const createJudges = async (
  document: Readonly<Record<string, unknown>>,
): Promise<(schema: object) => Judge> => {
  const strictly = { coerceTypes: false, removeAdditional: false, useDefaults: false } as const
  const app = Fastify({ ajv: { customOptions: { ...strictly, strict: false } } })
  let make: ((schema: object) => Judge) | undefined
  app.get('/', (request, reply) => {
    make = (schema) => {
      const whole = { ...schema, components: document.components }
      const judge = request.compileValidationSchema(whole)
      return (value) => (judge(value) ? undefined : JSON.stringify(judge.errors))
    }
    return reply.send()
  })
  // Fastify gives its validator to a handler only.
  await app.inject('/')
  if (make === undefined) throw new Error('Fastify gave no validator')
  return make
}
