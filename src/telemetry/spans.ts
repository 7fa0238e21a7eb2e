/** What the gateway shows of its work in traces. `traces.ts` implements it; by default nobody does. */

type Attributes = Readonly<Record<string, string | number | undefined>>

export interface Span {
  /** 32 hexadecimal digits, for the log line. */
  readonly traceId: string
  /** Runs `work` so that the spans that it begins, also later, are parts of this one. */
  within<T>(work: () => T): T
  /** Ends the span. A second call does nothing. */
  end(attributes: Attributes, failure?: string): void
}

export interface Spans {
  /** Begins the span of a caller's request. `traceparent` is the header of W3C Trace Context. */
  request(name: string, traceparent: string | undefined, attributes: Attributes): Span
  /** Begins the span of a call to lemlist, a part of whatever runs now. */
  call(name: string, attributes: Attributes): Span
  /** Begins the span of a poll, which is the beginning of a trace. */
  poll(attributes: Attributes): Span
  /** Sends what is not sent yet, for at most two seconds. */
  close(): Promise<void>
}
