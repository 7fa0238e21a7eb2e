import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { STATUS_HEADERS } from '../../src/http/openapi/responses.ts'
import { PROBLEMS } from '../../src/problems.ts'
import { OPERATIONS } from '../helpers/openapi.ts'

/** Compares docs/api.md with the routes and the problems. Another test runs its examples. */
const text = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')

describe('docs/api.md', () => {
  it('names every problem once, with its status and whether a retry makes sense', () => {
    const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \| (yes|no) \| .{10,} \|$/gm)]
    expect(rows.length).toBeGreaterThan(20)
    const told = rows.map(([, code = '', status, retryable]) => [
      code,
      { status: Number(status), retryable: retryable === 'yes' },
    ])
    expect(Object.fromEntries(told)).toEqual(
      Object.fromEntries(
        Object.entries(PROBLEMS).map(([code, { status, retryable }]) => [
          code,
          { status, retryable },
        ]),
      ),
    )
    expect(told).toHaveLength(Object.keys(PROBLEMS).length)
  })

  it('names every route of the OpenAPI document, with its method', () => {
    const rows = text.split('\n').filter((line) => /^\| `(GET|POST)`/.test(line))
    expect(OPERATIONS.length).toBeGreaterThan(8)
    for (const { name } of OPERATIONS) {
      const [method = '', path = ''] = name.split(' ')
      const row = rows.find((line) => line.includes(`\`${path}\``) || line.includes(`\`${path}?`))
      expect(row, name).toContain(`\`${method}\``)
    }
  })

  it('names every header of a status', () => {
    const names = Object.keys(STATUS_HEADERS)
    expect(names.length).toBeGreaterThan(5)
    for (const name of names) expect(text).toContain(`\`${name}\``)
  })
})
