import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/problems.ts'
import { accessLine } from '../../../src/telemetry/access-line.ts'

const REQUEST = {
  ...{ requestId: 'r-1', traceId: undefined, caller: undefined, account: undefined },
  ...{ method: 'GET', route: '/x', status: undefined, aborted: false, durationMs: 1.26 },
  ...{ cacheStatus: undefined, problem: undefined },
}
const read = (line: string): unknown => JSON.parse(`{${line.slice(1)}}`)

describe('the line of a request', () => {
  it('has no field that says nothing', () => {
    expect(accessLine(REQUEST)).toBe(
      ',"requestId":"r-1","method":"GET","route":"/x","durationMs":1.3,"caller":"anonymous"',
    )
  })

  it('has all fields in their order', () => {
    const line = accessLine({
      ...REQUEST,
      ...{ traceId: 'ab', caller: 'crm', account: 'sales', status: 502, aborted: true },
      cacheStatus: 'lemlist-gateway; fwd=miss; stored',
      problem: new Problem('upstream-unavailable', 'x', { cause: new TypeError('no "route"') }),
    })
    expect(line).toBe(
      ',"requestId":"r-1","traceId":"ab","method":"GET","route":"/x","status":502,"aborted":true,' +
        '"durationMs":1.3,"caller":"crm","account":"sales","cache":"fwd=miss; stored",' +
        '"problem":"upstream-unavailable","cause":{"name":"TypeError","message":"no \\"route\\""}',
    )
  })

  it.each(['a"b', 'a\\', 'a\nb', '\u2028\u0000', 'J\u00fcrgen', '\ud800', '","level":60,"x":"'])(
    'is one line of JSON whatever a caller is called: %j',
    (caller) => {
      const line = accessLine({ ...REQUEST, caller, account: caller })
      expect(line).not.toContain('\n')
      expect(read(line)).toMatchObject({ caller, account: caller })
    },
  )

  it('tells callers, accounts and statuses apart that it has written before', () => {
    const lines = [
      { caller: 'a', account: 'one', status: 200 },
      { caller: 'a', account: 'two', status: 304 },
      { caller: 'b', account: 'one', status: 200 },
      { caller: 'a', account: undefined, status: undefined },
    ]
    for (const one of [...lines, ...lines]) {
      expect(read(accessLine({ ...REQUEST, ...one }))).toMatchObject(
        JSON.parse(JSON.stringify(one)),
      )
    }
  })

  it('names the right caller also after more callers than it remembers', () => {
    const names = Array.from({ length: 1_200 }, (_, index) => `caller-${index}`)
    for (const caller of [...names, ...names]) {
      expect(read(accessLine({ ...REQUEST, caller }))).toMatchObject({ caller })
    }
  })
})
