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

/** lemlist's documented example of a finished export, byte for byte but for its spaces. */
const DONE =
  '{"ok":true,"status":{"_id":"axp_7guBefTBQGqFfps87","id":"axp_7guBefTBQGqFfps87","teamId":"tea_b4rMsi2trB42WyuWP","campaignId":"cam_DqHpWfjd67n2KTj2W","campaignName":"lemstage","status":"done","startedAt":"2025-10-27T07:53:16.267Z","progressIndex":6,"progressTime":1761551597286,"progressLastStepDuration":0,"progressType":"done","progress":0,"total":0,"fileSize":23654,"endedAt":"2025-10-27T07:53:17.286Z","url":"https://api.lemlist.com/api/files/exports/fil_axp_7guBefhehehe.csv"}}'

describe('the committed document', () => {
  it('is what `npm run openapi` writes', async () => {
    expect(await openApiDocument()).toBe(COMMITTED)
  })

  it('has the version OpenAPI 3.1', () => {
    expect(DOCUMENT.openapi).toMatch(/^3\.1\.\d$/)
  })

  it('has named schemas, and none that is not used', () => {
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

  it('explains exactly the tags that it uses', () => {
    const used = new Set(OPERATIONS.flatMap(({ operation }) => operation.tags))
    expect([...used].toSorted()).toEqual(DOCUMENT.tags.map(({ name }) => name).toSorted())
  })
})

const isHead = ({ name }: { readonly name: string }): boolean => name.startsWith('HEAD ')

describe.each(OPERATIONS.filter((one) => !isHead(one)))('$name', ({ operation }) => {
  const responses = Object.entries(operation.responses)
  const codes = problemCodes(operation)

  it('describes every answer and its headers', () => {
    expect(responses.length).toBeGreaterThan(1)
    for (const [status, { description, headers }] of responses) {
      expect(description, status).toMatch(/^.{6,}\.$/s)
      expect(Object.keys(headers ?? {}), status).toContain('X-Request-Id')
    }
  })

  it('documents every refusal by an example of a promised problem', () => {
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

  it('refers to the schema Problem wherever it answers a problem', () => {
    for (const { status } of codes) {
      const { schema } = operation.responses[status]?.content?.['application/problem+json'] ?? {}
      expect(schema).toEqual({ $ref: '#/components/schemas/Problem' })
    }
  })

  it('documents the problems that any request may get', () => {
    const common = ['invalid-request', 'method-not-allowed', 'request-timeout', 'uri-too-long']
    const more = ['misdirected-request', 'header-too-large', 'internal']
    expect(codes.map(({ code }) => code)).toEqual(expect.arrayContaining([...common, ...more]))
  })

  it('promises Allow with a 405, and Retry-After with a problem of 503', () => {
    expect(operation.responses['405']?.headers).toHaveProperty('Allow')
    const unavailable = operation.responses['503']
    if (unavailable?.content?.['application/problem+json'] === undefined) return
    expect(unavailable.headers).toHaveProperty('Retry-After')
  })

  // Regression: 204 and 304 were documented with a JSON body, which they cannot have.
  it('documents no content for an answer that has none', () => {
    for (const [status, { content }] of responses) {
      // HTTP lets a 416 have content. The gateway's 416 says everything in its headers.
      if (['204', '304', '416'].includes(status)) expect(content, status).toBeUndefined()
      else expect(Object.keys(content ?? {}), status).not.toEqual([])
    }
  })

  it('describes its parameters', () => {
    for (const { description } of operation.parameters ?? []) expect(description).toMatch(/.{8,}/)
  })
})

// Regression: no HEAD was described, and a proxy that checks requests by the document refused each.
describe.each(OPERATIONS.filter(isHead))('$name', ({ name, operation }) => {
  const get = operationOf(name.replace('HEAD', 'GET'))

  it('has the answers and headers of its GET, without content', () => {
    const answers = Object.entries(operation.responses)
    const statuses = Object.keys(get.responses).filter((status) => !['206', '416'].includes(status))
    expect(answers.map(([status]) => status)).toEqual(statuses)
    expect(answers.length).toBeGreaterThan(4)
    for (const [status, { description, headers, content }] of answers) {
      expect(content, status).toBeUndefined()
      expect({ description, headers }).toEqual({
        description: get.responses[status]?.description,
        headers: get.responses[status]?.headers,
      })
    }
  })

  it('has the parameters of its GET, but no range', () => {
    const { parameters = [] } = get
    const expected = parameters.filter((parameter) => parameter.name !== 'range')
    expect(operation.parameters ?? []).toEqual(expected)
  })

  it('has an id and a summary of its own', () => {
    expect(operation.operationId).toBe(`${get.operationId}Head`)
    expect(operation.summary).not.toBe(get.summary)
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

  it('documents every problem that lemlist can cause', () => {
    expect(problemCodes(operationOf(STATUS)).map(({ code }) => code)).toEqual(
      expect.arrayContaining([
        ...['invalid-id', 'export-not-found', 'campaign-not-found', 'export-timed-out'],
        ...['export-expired', 'upstream-invalid', 'upstream-credentials', 'upstream-unavailable'],
        ...['budget-exhausted', 'upstream-timeout'],
      ]),
    )
  })

  it('has patterns that allow exactly the valid ids', () => {
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
