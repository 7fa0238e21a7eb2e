import { readFileSync } from 'node:fs'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { z } from 'zod'
import type { ticketRequest } from '../../../src/access/ticket-request.ts'
import * as client from '../../../src/client/client.js'
import type { campaignExports } from '../../../src/http/openapi/campaign-schemas.ts'
import type {
  exportStatus,
  madeTicket,
  problemDocument,
  startedExport,
} from '../../../src/http/openapi/schemas.ts'

/** `npm run typecheck` judges the types. At run time they are gone, and `expectTypeOf` is empty. */

/** The fields that a type names. A loose schema also allows any others. */
type Named<T> = {
  [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K]
}

type Body = z.infer<typeof exportStatus>
type Fields = Body['status']

describe('the types of the client', () => {
  // The schema allows any value in a field that the gateway passes on unread. The client's types are
  // narrower: they say what lemlist documents.
  it('match the schema of a status', () => {
    expectTypeOf<client.ExportStatus>().toExtend<Body>()
    expectTypeOf<keyof Named<client.ExportStatus>>().toEqualTypeOf<keyof Named<Body>>()
    expectTypeOf<keyof Named<client.ExportFields>>().toEqualTypeOf<keyof Named<Fields>>()
    // The client's type names the states that it knows, but lemlist may send any other word.
    expectTypeOf<string>().toExtend<client.ExportFields['status']>()
    expectTypeOf<client.ExportFields['status']>().toExtend<Fields['status']>()
  })

  it('match the schema of a start', () => {
    type Started = z.infer<typeof startedExport>
    expectTypeOf<client.StartedExport>().toExtend<Started>()
    expectTypeOf<Exclude<keyof Named<Started>, keyof Named<client.StartedExport>>>().toBeNever()
  })

  it('match the schema of a list', () => {
    type List = z.infer<typeof campaignExports>
    expectTypeOf<client.ListedExport>().toExtend<List['exports'][number]>()
    expectTypeOf<keyof client.ListedExport>().toEqualTypeOf<keyof List['exports'][number]>()
    expectTypeOf<keyof client.CampaignExports>().toEqualTypeOf<keyof List>()
  })

  it('match the schemas of a ticket', () => {
    type Asked = z.input<typeof ticketRequest>
    expectTypeOf<client.Ticket>().toEqualTypeOf<z.infer<typeof madeTicket>>()
    expectTypeOf<keyof client.TicketRequest>().toEqualTypeOf<keyof Asked>()
    type Scopes = NonNullable<client.TicketRequest['scopes']>
    expectTypeOf<Scopes[number]>().toEqualTypeOf<NonNullable<Asked['scopes']>[number]>()
  })

  it('accept every problem of the gateway', () => {
    type Document = z.infer<typeof problemDocument>
    expectTypeOf<Document>().toExtend<client.ProblemMembers>()
    expectTypeOf<Exclude<keyof Document, keyof client.ProblemMembers>>().toBeNever()
    expectTypeOf<client.GatewayProblem>().toExtend<Error>()
  })

  // One member stood for both `problem` and `gone`, and then the first test does not compile.
  it('narrow an event of many exports, whichever way it is asked for', () => {
    const excluding = (event: client.ExportEvent): string => {
      if (event.type === 'problem' || event.type === 'gone') return event.problem.code
      return event.body.status.status
    }
    const chained = (event: client.ExportEvent): string => {
      if (event.type === 'status') return event.body.status.status
      else if (event.type === 'problem') return event.problem.code
      else if (event.type === 'gone') return event.problem.code
      else return event satisfies never
    }
    const ref = { campaignId: 'cam_1', exportId: 'axp_1' }
    const members = { code: 'export-not-found', status: 404, title: '', detail: '' }
    const problem = new client.GatewayProblem({ ...members, retryable: false })
    const events: client.ExportEvent[] = [
      { ...ref, type: 'status', body: { status: { status: 'done' } } },
      { ...ref, type: 'gone', problem },
    ]
    expect(events.map(excluding)).toEqual(['done', 'export-not-found'])
    expect(events.map(chained)).toEqual(['done', 'export-not-found'])
  })

  it('do not accept a field of another type', () => {
    // @ts-expect-error -- proves that the type check notices a wrong type.
    expectTypeOf<{ status: { status: string; total: string } }>().toExtend<client.ExportStatus>()
  })

  it('name what the module exports, and nothing else', () => {
    const types = readFileSync(new URL('../../../src/client/client.d.ts', import.meta.url), 'utf8')
    const declared = [...types.matchAll(/^export declare (?:const|class) (\w+)/gm)].map(
      ([, name]) => name,
    )
    expect(declared.length).toBeGreaterThan(5)
    expect(Object.keys(client).sort()).toEqual(declared.sort())
  })
})
