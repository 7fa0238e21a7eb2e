import { describe, expect, it } from 'vitest'
import { describeError } from '../../../src/telemetry/described.ts'
import { logLines, memoryLogger } from '../../helpers/gateway.ts'

const SECRET = 'canary-4f1a7c93e0'

/** What a function throws. */
const thrownBy = (fails: () => unknown): unknown => {
  try {
    fails()
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

/** Errors as libraries throw them: with what they were called with. */
const ERRORS: readonly (readonly [string, unknown])[] = [
  ['a URL that is none', thrownBy(() => new URL(`redis//:${SECRET}@host`))],
  ['JSON that is none', thrownBy(() => JSON.parse(SECRET))],
  ['an argument that Node refuses', thrownBy(() => Buffer.alloc(SECRET as unknown as number))],
  ['fields of a library', Object.assign(new Error('bad'), { headers: { authorization: SECRET } })],
  ['a field of the cause', new Error('bad', { cause: Object.assign(new Error('x'), { SECRET }) })],
  ['a code that is an object', Object.assign(new Error('bad'), { code: { SECRET } })],
  ['several errors', new AggregateError([new Error(SECRET)], 'all failed')],
  ['an object', { message: SECRET }],
  ['a text', SECRET],
]

describe('the description of an error', () => {
  it.each(ERRORS)('names nothing of %s that nobody has listed', (_, error) => {
    expect(JSON.stringify(describeError(error))).not.toContain(SECRET)
  })

  it.each(ERRORS)('is what the log has of %s', (_, error) => {
    const { logger, text } = memoryLogger()
    logger.error({ err: error }, 'failed')
    expect(logLines(text())).toMatchObject([{ msg: 'failed', err: describeError(error) }])
    expect(text()).not.toContain(SECRET)
  })

  it('has the name, the code, the message, the place and the cause', () => {
    const cause = Object.assign(new RangeError('too far'), { code: 'E_FAR' })
    expect(describeError(new Error('first\nsecond', { cause }))).toEqual({
      name: 'Error',
      message: 'first\nsecond',
      stack: expect.stringMatching(/^ {4}at .*described\.test\.ts:\d+:\d+/),
      cause: { name: 'RangeError', code: 'E_FAR', message: 'too far', stack: expect.any(String) },
    })
  })

  it('ends, also for errors that are each other’s cause', () => {
    const error = new Error('first')
    error.cause = new Error('x'.repeat(10_000), { cause: error })
    const text = JSON.stringify(describeError(error, false))
    expect(text.length).toBeLessThan(500)
  })
})
