import type { FastifyInstance } from 'fastify'
import type { Spans } from '../telemetry/spans.ts'

/** Makes each request a span, and whatever it causes a part of that span. */
export const traceRequests = (app: FastifyInstance, spans: Spans | undefined): void => {
  if (spans === undefined) return
  app.addHook('onRequest', (request, reply, done) => {
    const { method, headers, notes } = request
    const { route } = notes
    const { traceparent } = headers
    const span = spans.request(
      `${method} ${route}`,
      typeof traceparent === 'string' ? traceparent : undefined,
      {
        ...{ 'http.request.method': method, 'http.route': route },
        'gateway.request_id': request.id,
      },
    )
    notes.span = span
    notes.traceId = span.traceId
    reply.raw.once('close', () => {
      const { caller, account, problem } = notes
      span.end(
        {
          'http.response.status_code': reply.raw.headersSent ? reply.statusCode : undefined,
          ...{ 'gateway.caller': caller?.name, 'gateway.account': account },
          'gateway.problem': problem?.code,
        },
        reply.statusCode >= 500 ? (problem?.code ?? 'failed') : undefined,
      )
    })
    done()
  })
  // A body is read in the context of its socket. The handler begins after that.
  app.addHook('preValidation', (request, _reply, done) => {
    const { span } = request.notes
    if (span === undefined) done()
    else span.within(done)
  })
}
