import { randomUUID } from 'node:crypto'
import type { Begun, Idempotency, Observer } from '../../exports/ports.ts'
import { finished, taken, type Work } from '../work.ts'
import type { Redis } from './client.ts'

interface RedisIdempotencyOptions {
  /** Wall clock, epoch milliseconds: only durations leave this process. */
  readonly now: () => number
  /** The clock above in place of that of Redis: for tests that move time. */
  readonly moved?: boolean | undefined
  /** Told `corrupt-record` for a value that is not of ours. */
  readonly storeFailed: Observer['storeFailed']
}

export interface RedisIdempotency extends Idempotency {
  /** Sets a key free that this replica has taken, perhaps, without being told. */
  release(key: string): Promise<void>
  /** Puts what this replica knows of a key, unless more is known there. */
  restore(key: string, work: Work): Promise<void>
}

/** `Idempotency` as one key each, which Redis lets go of by itself. */
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
      storeFailed('corrupt-record', new Error('A value in Redis is no idempotency key of ours'))
    }
    return reply
  }

  const told = (reply: unknown): Begun => {
    if (reply === 'yours' || reply === 'in-progress') return { state: reply }
    const [, answer] = typeof reply === 'string' ? (/^finished (.*)$/s.exec(reply) ?? []) : []
    // What is no base64 was written by somebody else: begun, and no more is known.
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
