import { z } from 'zod'
import { word } from './forms.ts'

const receiver = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  // A message about the receiver may show its URL. The headers are the place of a credential.
  .refine((url) => !/^https?:\/\/[^/?#]*@/i.test(url), 'must hold no credential')
/** `name=value` pairs, as OpenTelemetry writes them: separated by commas, values percent-encoded. */
const headers = z.string().transform((text, context) => {
  const found: Record<string, string> = {}
  for (const pair of text.split(',')) {
    const [, name, value] = /^\s*([A-Za-z0-9-]+)=([!-~ ]*?)\s*$/.exec(pair) ?? []
    if (name === undefined || value === undefined || !isDecodable(value)) {
      context.addIssue({ code: 'custom', message: 'must be name=value pairs, separated by commas' })
      return z.NEVER
    }
    found[name.toLowerCase()] = decodeURIComponent(value)
  }
  return found
})

const isDecodable = (text: string): boolean => {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The variables of traces. Their names are those of OpenTelemetry. */
export const TRACE_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: receiver.optional(),
    about:
      'The base URL of a receiver of traces, such as `http://otel-collector:4318`. The gateway sends OTLP as JSON over HTTP to `/v1/traces` below it. When it is unset, there are no traces.',
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    schema: headers.optional(),
    secret: true,
    about:
      'Headers for the receiver, such as a credential: `name=value`, separated by commas, values percent-encoded.',
  },
  OTEL_SERVICE_NAME: {
    schema: word,
    default: 'lemlist-export-gateway',
    about: 'The name of this service in traces.',
  },
  OTEL_TRACES_SAMPLER_ARG: {
    schema: z
      .string()
      .regex(/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/, 'must be a number from 0 to 1')
      .transform(Number),
    default: '1',
    about:
      "The share of the traces that begin at the gateway, 0 to 1. A caller's own trace is recorded if the caller says so.",
  },
} as const
