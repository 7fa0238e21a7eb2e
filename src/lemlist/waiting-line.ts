import { performance } from 'node:perf_hooks'
import type { Turn } from '../exports/ports.ts'
import { Problem } from '../problems.ts'

/** The line in front of one lemlist key. Every call to lemlist stands in it. */
export interface WaitingLine {
  enter(turn: Turn): Place
  /** How many stand in line. */
  length(): number
  /** Turns everybody away and lets nobody in. */
  close(): void
}

export interface Place {
  /** Resolves when the call may leave; the function must be called when it is over. Rejects with a `Problem`. */
  readonly slot: Promise<() => void>
  isWaiting(): boolean
  /** Takes the earlier due time and the later give-up time. */
  hurry(turn: Turn): void
}

interface WaitingLineOptions {
  /** The budget of the key: 0 = go, else milliseconds to wait. */
  readonly take: () => Promise<number>
  /** Calls under way at once: as many as the pool has sockets, so that none waits behind its slot. */
  readonly maxRunning: number
  /** Places in line. */
  readonly maxWaiting?: number
}

/** 10 000 reads wait at most 5 s each; more would only be refused later. */
const MAX_WAITING = 10_000

interface Waiter {
  due: number
  giveUpAt: number
  waiting: boolean
  timer: NodeJS.Timeout | undefined
  readonly settle: PromiseWithResolvers<() => void>
}

/**
 * Earliest deadline first. The slot is taken from the budget before the head is picked, so that
 * whoever is most urgent at that moment has it. Waiting costs one timer, however many wait.
 */
export const createWaitingLine = (options: WaitingLineOptions): WaitingLine => {
  const { take, maxRunning, maxWaiting = MAX_WAITING } = options
  const waiters = new Set<Waiter>()
  let running = 0
  /** When the budget said to ask again; far off while lemlist has paused the key. */
  let restsUntil = 0
  let serving = false
  let closed = false
  let wake: () => void = () => {}

  const refusal = (detail: string): Problem => {
    const restMs = restsUntil - performance.now()
    return new Problem('budget-exhausted', detail, { retryAfterMs: Math.max(1_000, restMs) })
  }

  const leave = (waiter: Waiter): void => {
    waiter.waiting = false
    clearTimeout(waiter.timer)
    waiters.delete(waiter)
  }

  const giveUpLater = (waiter: Waiter): void => {
    clearTimeout(waiter.timer)
    if (waiter.giveUpAt === Number.POSITIVE_INFINITY) return
    waiter.timer = setTimeout(
      () => {
        leave(waiter)
        waiter.settle.reject(refusal('No call to lemlist was free in time.'))
      },
      Math.max(0, waiter.giveUpAt - performance.now()),
    )
  }

  const head = (): Waiter | undefined => {
    let first: Waiter | undefined
    for (const waiter of waiters) if (first === undefined || waiter.due < first.due) first = waiter
    return first
  }

  /** Waits until the time has passed or something changed: a call ended, the line closed. */
  const rest = async (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    const timer = Number.isFinite(ms) ? setTimeout(resolve, Math.ceil(ms)) : undefined
    await promise
    clearTimeout(timer)
  }

  const release = (): void => {
    running -= 1
    wake()
  }

  const serveNext = async (): Promise<void> => {
    if (running >= maxRunning) return rest(Number.POSITIVE_INFINITY)
    const waitMs = await take()
    if (waitMs > 0) {
      restsUntil = performance.now() + waitMs
      return rest(waitMs)
    }
    const next = head()
    if (next === undefined) return
    leave(next)
    running += 1
    let released = false
    next.settle.resolve(() => {
      if (released) return
      released = true
      release()
    })
  }

  const serve = async (): Promise<void> => {
    if (serving) return
    serving = true
    try {
      while (waiters.size > 0 && !closed) await serveNext()
    } catch (error) {
      for (const waiter of [...waiters]) {
        leave(waiter)
        waiter.settle.reject(error)
      }
    } finally {
      serving = false
    }
  }

  return {
    enter: ({ due, giveUpAt }) => {
      const waiter: Waiter = {
        due,
        giveUpAt,
        waiting: true,
        timer: undefined,
        settle: Promise.withResolvers(),
      }
      if (closed || waiters.size >= maxWaiting) {
        waiter.waiting = false
        waiter.settle.reject(refusal('Too many calls to lemlist are waiting.'))
      } else {
        waiters.add(waiter)
        giveUpLater(waiter)
        void serve()
      }
      return {
        slot: waiter.settle.promise,
        isWaiting: () => waiter.waiting,
        hurry: (turn) => {
          if (!waiter.waiting) return
          waiter.due = Math.min(waiter.due, turn.due)
          waiter.giveUpAt = Math.max(waiter.giveUpAt, turn.giveUpAt)
          giveUpLater(waiter)
        },
      }
    },
    length: () => waiters.size,
    close: () => {
      closed = true
      for (const waiter of [...waiters]) {
        leave(waiter)
        waiter.settle.reject(refusal('The gateway is stopping.'))
      }
      wake()
    },
  }
}
