import { describe, expect, it } from 'vitest'
import { STATUS_EXAMPLES } from '../../src/http/openapi/examples.ts'
import { openApiDocument } from '../../tools/openapi-document.ts'
import { PENDING_EXAMPLE } from '../helpers/documented-answers.ts'
import { COMMITTED, DOCUMENT, OPERATIONS, problemCodes } from '../helpers/openapi.ts'
import { PROMISED_PROBLEMS, problemSchema } from '../helpers/problem.ts'

const STATUS = 'GET /campaigns/{campaignId}/export/{exportId}/status'

const operationOf = (name: string) => {
  const found = OPERATIONS.find((one) => one.name === name)?.operation
  if (found === undefined) throw new Error(`the document has no ${name}`)
  return found
}

/** lemlist's documentation of the status, its example of a finished export, byte for byte but for spaces. */
const DONE =
  '{"ok":true,"status":{"_id":"axp_7guBefTBQGqFfps87","id":"axp_7guBefTBQGqFfps87","teamId":"tea_b4rMsi2trB42WyuWP","campaignId":"cam_DqHpWfjd67n2KTj2W","campaignName":"lemstage","status":"done","startedAt":"2025-10-27T07:53:16.267Z","progressIndex":6,"progressTime":1761551597286,"progressLastStepDuration":0,"progressType":"done","progress":0,"total":0,"fileSize":23654,"endedAt":"2025-10-27T07:53:17.286Z","url":"https://api.lemlist.com/api/files/exports/fil_axp_7guBefhehehe.csv"}}'

describe('the committed document', () => {
  it('is what the gateway serves: `npm run openapi` would change nothing', async () => {
    expect(await openApiDocument()).toBe(COMMITTED)
  })

  it('is of OpenAPI 3.1', () => {
    expect(DOCUMENT.openapi).toMatch(/^3\.1\.\d$/)
  })

  it('names its parts, and has none that is not used', () => {
    const names = Object.keys(DOCUMENT.components.schemas)
    expect(names).toEqual(expect.arrayContaining(['ExportStatus', 'Problem']))
    for (const name of names) expect(COMMITTED).toContain(`"#/components/schemas/${name}"`)
  })

  it('shows the done and the pending answer as lemlist documents them', () => {
    const examples = operationOf(STATUS).responses['200']?.content?.['application/json']?.examples
    expect(JSON.stringify(examples?.done?.value)).toBe(DONE)
    expect(JSON.stringify(examples?.pending?.value)).toBe(PENDING_EXAMPLE)
    expect(JSON.stringify(STATUS_EXAMPLES.done.value)).toBe(DONE)
  })

  it('gives each operation an id of its own', () => {
    const ids = OPERATIONS.map(({ operation }) => operation.operationId)
    expect(ids.length).toBeGreaterThan(4)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('uses the tags that it explains, and explains those that it uses', () => {
    const used = new Set(OPERATIONS.flatMap(({ operation }) => operation.tags))
    expect([...used].toSorted()).toEqual(DOCUMENT.tags.map(({ name }) => name).toSorted())
  })
})

describe.each(OPERATIONS)('$name', ({ operation }) => {
  const responses = Object.entries(operation.responses)
  const codes = problemCodes(operation)

  it('says of every answer what it means and which headers it has', () => {
    expect(responses.length).toBeGreaterThan(1)
    for (const [status, { description, headers }] of responses) {
      expect(description, status).toMatch(/^.{6,}\.$/s)
      expect(Object.keys(headers ?? {}), status).toContain('X-Request-Id')
    }
  })

  it('answers every refusal with a problem that is documented by an example', () => {
    expect(codes.length).toBeGreaterThan(3)
    for (const { status, code } of codes) expect(PROMISED_PROBLEMS[code], code).toBe(Number(status))
    for (const [status, { content }] of responses) {
      for (const { value } of Object.values(
        content?.['application/problem+json']?.examples ?? {},
      )) {
        expect(problemSchema.parse(value).status).toBe(Number(status))
      }
    }
  })

  it('refers to the named Problem wherever it answers one', () => {
    for (const { status } of codes) {
      const { schema } = operation.responses[status]?.content?.['application/problem+json'] ?? {}
      expect(schema).toEqual({ $ref: '#/components/schemas/Problem' })
    }
  })

  it('knows what any request may be refused for', () => {
    const common = ['invalid-request', 'method-not-allowed', 'request-timeout', 'uri-too-long']
    const more = ['misdirected-request', 'header-too-large', 'internal']
    expect(codes.map(({ code }) => code)).toEqual(expect.arrayContaining([...common, ...more]))
  })

  it('promises Allow with 405, and Retry-After with a problem of 503', () => {
    expect(operation.responses['405']?.headers).toHaveProperty('Allow')
    const unavailable = operation.responses['503']
    if (unavailable?.content?.['application/problem+json'] === undefined) return
    expect(unavailable.headers).toHaveProperty('Retry-After')
  })

  // 204 and 304 once came with a body of JSON that could not exist.
  it('has no content where HTTP has none', () => {
    for (const [status, { content }] of responses) {
      // HTTP lets a 416 have content; ours says all in its header.
      if (['204', '304', '416'].includes(status)) expect(content, status).toBeUndefined()
      else expect(Object.keys(content ?? {}), status).not.toEqual([])
    }
  })

  it('describes its parameters', () => {
    for (const { description } of operation.parameters ?? []) expect(description).toMatch(/.{8,}/)
  })
})

describe('the status', () => {
  it('documents its headers', () => {
    const headers = Object.keys(operationOf(STATUS).responses['200']?.headers ?? {})
    expect(headers).toEqual(
      expect.arrayContaining([
        ...['ETag', 'Cache-Control', 'Age', 'Cache-Status', 'Retry-After', 'Link'],
        'X-Request-Id',
      ]),
    )
  })

  it('documents every problem that lemlist can be the reason of', () => {
    expect(problemCodes(operationOf(STATUS)).map(({ code }) => code)).toEqual(
      expect.arrayContaining([
        ...['invalid-id', 'export-not-found', 'campaign-not-found', 'export-timed-out'],
        ...['export-expired', 'upstream-invalid', 'upstream-credentials', 'upstream-unavailable'],
        ...['budget-exhausted', 'upstream-timeout'],
      ]),
    )
  })

  it('asks for the ids that it takes', () => {
    const parameters = operationOf(STATUS).parameters ?? []
    const patterns = parameters
      .filter((parameter) => parameter.in === 'path')
      .map(({ name, schema }) => [name, schema])
    expect(patterns).toEqual([
      ['campaignId', expect.objectContaining({ pattern: '^cam_[A-Za-z0-9]{1,64}$' })],
      ['exportId', expect.objectContaining({ pattern: '^[a-z]{3}_[A-Za-z0-9]{1,64}$' })],
    ])
  })
})
