import type { Begun, Idempotency } from '../../exports/ports.ts'
import type { Redis } from './client.ts'

interface RedisIdempotencyOptions {
  /** Wall clock, epoch milliseconds: only durations leave this process. */
  readonly now: () => number
  /** The clock above in place of that of Redis: for tests that move time. */
  readonly moved?: boolean | undefined
}

/** More is none of lemlist's answers to a start. */
const MAX_ANSWER_BYTES = 16 * 1024

/** `Idempotency` as one key each, which Redis lets go of by itself. */
export const createRedisIdempotency = (
  { commands, within }: Redis,
  { now, moved = false }: RedisIdempotencyOptions,
): Idempotency => {
  const run = (key: string, op: string, one = '', two = ''): Promise<unknown> =>
    within(commands.idempotency([`once:${key}`], [op, one, two, moved ? String(now()) : '']))

  const told = (reply: unknown): Begun => {
    if (reply === 'yours' || reply === 'in-progress') return { state: reply }
    if (typeof reply === 'string' && reply.startsWith('finished ')) {
      return { state: 'finished', answer: Buffer.from(reply.slice('finished '.length), 'base64') }
    }
    return { state: 'unknown' }
  }

  return {
    begin: async (key, { inProgressUntil, forgetAt }) => {
      const inProgressMs = Math.max(0, Math.round(inProgressUntil - now()))
      const forgetMs = Math.round(forgetAt - now())
      if (!Number.isSafeInteger(inProgressMs) || !(forgetMs >= 1)) {
        throw new RangeError('inProgressUntil and forgetAt must be epoch milliseconds to come')
      }
      return told(await run(key, 'begin', `${inProgressMs}`, `${forgetMs}`))
    },
    finish: async (key, answer) => {
      if (answer.byteLength > MAX_ANSWER_BYTES) throw new RangeError('An answer has at most 16 KiB')
      await run(key, 'finish', Buffer.from(answer).toString('base64'))
    },
    giveUp: async (key) => {
      await run(key, 'give-up')
    },
    forget: async (key) => {
      await run(key, 'forget')
    },
  }
}
