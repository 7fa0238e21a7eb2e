import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Span, Spans } from './spans.ts'

/** Traces for an OTLP receiver. Alone knows OpenTelemetry, and is loaded only when it is wanted. */

interface TracesOptions {
  /** The base of the receiver, as OTEL_EXPORTER_OTLP_ENDPOINT names it: `/v1/traces` is added. */
  readonly endpoint: string
  /** Headers of each request to the receiver, such as a credential. */
  readonly headers: Readonly<Record<string, string>>
  readonly serviceName: string
  readonly version: string
  /** The share of the traces that begin here, 0 to 1. A caller's own trace is followed as he says. */
  readonly ratio: number
  /** Told when spans could not be sent. */
  readonly onTrouble: (error: unknown) => void
}

/** How long one request to the receiver, and the last one at a stop, may take, milliseconds. */
const SEND_MS = 2_000
const BATCH = { maxQueueSize: 2_048, maxExportBatchSize: 512, scheduledDelayMillis: 5_000 }

/** The library is silent about spans that it could not send. */
const telling = (exporter: SpanExporter, onTrouble: (error: unknown) => void): SpanExporter => ({
  export: (spans: ReadableSpan[], done) =>
    exporter.export(spans, (result) => {
      if (result.error !== undefined) onTrouble(result.error)
      done(result)
    }),
  shutdown: () => exporter.shutdown(),
})

export const createTraces = (options: TracesOptions): Spans => {
  const exporter = new OTLPTraceExporter({
    url: `${options.endpoint.replace(/\/$/, '')}/v1/traces`,
    headers: { ...options.headers },
    timeoutMillis: SEND_MS,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.serviceName,
      'service.version': options.version,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.ratio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        ...{ exporter: telling(exporter, options.onTrouble), ...BATCH },
        exportTimeoutMillis: SEND_MS,
      }),
    ],
  })
  const tracer = provider.getTracer('lemlist-export-gateway')
  // Own objects and no global ones, so that several gateways fit into one process.
  const contexts = new AsyncLocalStorageContextManager()
  const propagator = new W3CTraceContextPropagator()

  const begin = (
    name: string,
    kind: SpanKind,
    parent: Context,
    attributes: Parameters<Spans['call']>[1] = {},
  ): Span => {
    const span = tracer.startSpan(name, { kind, attributes }, parent)
    const context = trace.setSpan(parent, span)
    let isOver = false
    return {
      traceId: span.spanContext().traceId,
      within: (work) => contexts.with(context, work),
      end: (more, failure) => {
        if (isOver) return
        isOver = true
        span.setAttributes(more)
        if (failure !== undefined) {
          span.setStatus({ code: SpanStatusCode.ERROR, message: failure })
        }
        span.end()
      },
    }
  }

  return {
    request: (name, traceparent, attributes) => {
      const carrier = { traceparent }
      const parent = propagator.extract(ROOT_CONTEXT, carrier, {
        get: (from, key) => (key === 'traceparent' ? from.traceparent : undefined),
        keys: () => ['traceparent'],
      })
      return begin(name, SpanKind.SERVER, parent, attributes)
    },
    call: (name, attributes) => begin(name, SpanKind.CLIENT, contexts.active(), attributes),
    poll: (attributes) => begin('poll', SpanKind.INTERNAL, ROOT_CONTEXT, attributes),
    close: () => provider.shutdown().catch(options.onTrouble),
  }
}
