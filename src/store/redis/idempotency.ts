import { randomUUID } from 'node:crypto'
import type { Begun, Idempotency, Observer } from '../../exports/ports.ts'
import { finished, taken, type Work } from '../work.ts'
import type { Redis } from './client.ts'

interface RedisIdempotencyOptions {
  /** Wall clock, epoch milliseconds. Redis only gets durations, so the clocks need not agree. */
  readonly now: () => number
  /** Whether `now` is used in place of the clock of Redis. For tests that move time. */
  readonly moved?: boolean | undefined
  /** Called with `corrupt-record` for a value that no gateway has written. */
  readonly storeFailed: Observer['storeFailed']
}

export interface RedisIdempotency extends Idempotency {
  /** Frees a key that Redis may have taken for this replica without an answer. */
  release(key: string): Promise<void>
  /** Puts what this replica knows about a key, unless Redis knows more. */
  restore(key: string, work: Work): Promise<void>
}

/** `Idempotency` with one Redis key for each piece of work. Redis deletes the keys by itself. */
export const createRedisIdempotency = (
  { commands, run }: Redis,
  { now, moved = false, storeFailed }: RedisIdempotencyOptions,
): RedisIdempotency => {
  const me = randomUUID()

  const ask = async (key: string, op: string, ...values: readonly (string | number)[]) => {
    const clock = moved ? String(now()) : ''
    const reply = await run(() =>
      commands.idempotency([`once:${key}`], [op, clock, ...values.map(String)]),
    )
    if (reply === 'corrupt') {
      storeFailed(
        'corrupt-record',
        new Error('A value in Redis is not an idempotency record of a gateway'),
      )
    }
    return reply
  }

  const told = (reply: unknown): Begun => {
    if (reply === 'yours' || reply === 'in-progress') return { state: reply }
    const [, answer] = typeof reply === 'string' ? (/^finished (.*)$/s.exec(reply) ?? []) : []
    // Another program has written an answer that is not base64. All that is known: it was begun.
    if (answer === undefined || !/^[A-Za-z0-9+/]*={0,2}$/.test(answer)) return { state: 'unknown' }
    return { state: 'finished', answer: Buffer.from(answer, 'base64') }
  }

  const left = (time: number): number => Math.max(1, time - Math.round(now()))

  return {
    begin: async (key, until) => {
      const { inProgressUntil, forgetAt } = taken(until)
      return told(await ask(key, 'begin', left(inProgressUntil), left(forgetAt), me))
    },
    finish: async (key, answer) => {
      const work = finished({ state: 'given-up', forgetAt: 0 }, answer)
      await ask(key, 'finish', textOf(work))
    },
    giveUp: async (key) => {
      await ask(key, 'give-up')
    },
    forget: async (key) => {
      await ask(key, 'forget', '')
    },
    release: async (key) => {
      await ask(key, 'forget', me)
    },
    restore: async (key, work) => {
      if (work.forgetAt <= now()) return
      const value = work.state === 'finished' ? `finished ${textOf(work)}` : work.state
      const inProgressMs = work.state === 'begun' ? left(work.inProgressUntil) : 0
      await ask(key, 'restore', value, left(work.forgetAt), inProgressMs, me)
    },
  }
}

const textOf = (work: Work): string =>
  work.state === 'finished' ? Buffer.from(work.answer).toString('base64') : ''
