import type { FastifyInstance } from 'fastify'
import type { Span, Spans } from '../telemetry/spans.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The span of the request. Undefined while nobody wants traces. */
    span: Span | undefined
  }
}

/** Makes each request a span, and whatever it causes a part of that span. */
export const traceRequests = (app: FastifyInstance, spans: Spans | undefined): void => {
  app.decorateRequest('span', undefined)
  if (spans === undefined) return
  app.addHook('onRequest', (request, reply, done) => {
    const { method, headers, routeOptions } = request
    const route = routeOptions.url ?? 'unknown'
    const { traceparent } = headers
    const span = spans.request(
      `${method} ${route}`,
      typeof traceparent === 'string' ? traceparent : undefined,
      {
        ...{ 'http.request.method': method, 'http.route': route },
        'gateway.request_id': request.id,
      },
    )
    request.span = span
    reply.raw.once('close', () => {
      const { caller, account, problem } = request
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
    if (request.span === undefined) done()
    else request.span.within(done)
  })
}
