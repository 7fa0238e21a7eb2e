import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { ticketRequest } from '../../access/ticket-request.ts'
import type { Tickets } from '../../access/tickets.ts'
import { callerOf, type Entry } from '../entry.ts'
import { TICKET_EXAMPLES } from '../openapi/examples.ts'
import {
  ACCESS_PROBLEMS,
  COMMON_PROBLEMS,
  problemResponses,
  TICKET_HEADERS,
} from '../openapi/responses.ts'
import { accountHeaders, madeTicket } from '../openapi/schemas.ts'
import { SECURITY } from '../openapi/security.ts'

interface TicketsRouteOptions {
  readonly entry: Pick<Entry, 'accountName'>
  readonly tickets: Tickets
}

const schema = {
  operationId: 'makeTicket',
  tags: ['access'],
  summary: 'Make a ticket for a client that cannot send headers',
  description:
    'Makes a signed ticket that opens the named exports and campaigns of one account, and nothing else. A backend makes it with its own key and hands it to a page, which sends it as the query parameter `ticket` of the events routes and the file route, or as a bearer token. A ticket makes no other ticket. It ends at `expiresAt`, or when its caller is taken out of the access file.',
  headers: accountHeaders,
  body: ticketRequest,
  security: SECURITY.credential,
  response: {
    201: {
      description: 'The ticket, and when it ends.',
      headers: TICKET_HEADERS,
      content: { 'application/json': { schema: madeTicket, examples: TICKET_EXAMPLES } },
    },
    ...problemResponses(
      ...COMMON_PROBLEMS,
      ...ACCESS_PROBLEMS,
      'campaign-not-found',
      'payload-too-large',
      'unsupported-media-type',
      'rate-limited',
      'overloaded',
    ),
  },
} as const

/** `Tickets.make` checks the body, so that its faults are told in one form and without values. */
const unchecked = () => (value: unknown) => ({ value })

export const ticketsRoute = async (
  app: FastifyInstance,
  { entry, tickets }: TicketsRouteOptions,
): Promise<void> => {
  await app.register((scope, _options, done) => {
    // A page of any origin may send plain text without asking first.
    scope.removeContentTypeParser('text/plain')
    scope
      .withTypeProvider<ZodTypeProvider>()
      .post('/tickets', { schema, validatorCompiler: unchecked }, async (request, reply) => {
        request.notes.deed = { action: 'ticket' }
        const account = entry.accountName(request)
        const made = await tickets.make(callerOf(request), account, request.body)
        const { exports, campaigns, scopes } = ticketRequest.parse(request.body)
        request.notes.deed = {
          ...{ action: 'ticket', exports, campaigns, expiresAt: made.expiresAt },
          ...(scopes && { scopes }),
        }
        return reply
          .code(201)
          .header('cache-control', 'no-store')
          .header('x-request-id', request.id)
          .header('x-content-type-options', 'nosniff')
          .type('application/json')
          .send(made)
      })
    done()
  })
}
