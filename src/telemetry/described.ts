/** What the log says of an error, whatever threw it. */
export interface DescribedError {
  readonly name: string
  readonly code?: string | number
  readonly message?: string
  /** Where it was thrown, without the message. */
  readonly stack?: string
  readonly cause?: DescribedError
}

const LONGEST_MESSAGE = 200
/** A cause has a cause, and so on. */
const DEEPEST = 3

/**
 * Names what the log takes of an error. It takes nothing else, because a field of an error may hold
 * a header, a body, or a URL with a password: libraries put there what they were called with.
 *
 * @param withStack whether the place matters, as it does for a bug
 */
export const describeError = (
  error: unknown,
  withStack = true,
  depth: number = DEEPEST,
): DescribedError => {
  if (!(error instanceof Error)) return { name: typeof error }
  const { name, message, stack, cause } = error
  const code = 'code' in error ? error.code : undefined
  return {
    name,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...messageOf(name, message),
    ...(withStack && stack !== undefined && { stack: framesOf(stack) }),
    ...(cause instanceof Error &&
      depth > 1 && { cause: describeError(cause, withStack, depth - 1) }),
  }
}

/** A parser quotes its input, and Node quotes an argument that it refuses. */
const messageOf = (name: string, message: string): Pick<DescribedError, 'message'> =>
  name === 'SyntaxError'
    ? {}
    : { message: (message.split(' Received ', 1)[0] ?? '').slice(0, LONGEST_MESSAGE) }

/** A stack begins with the message, which may have several lines. */
const framesOf = (stack: string): string =>
  stack
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .join('\n')
