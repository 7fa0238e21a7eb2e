import { performance } from 'node:perf_hooks'
import type { Turn } from '../exports/ports.ts'
import { Problem } from '../problems.ts'

/** The line in front of one lemlist key. Every call to lemlist stands in it. */
export interface WaitingLine {
  enter(turn: Turn): Place
  /** How many calls stand in line. */
  length(): number
  /** Rejects all calls that stand in line, and every later one. */
  close(): void
}

export interface Place {
  /**
   * Resolves when the call may leave, to a function that must be called when the call is over.
   * Rejects with a `Problem`.
   */
  readonly slot: Promise<() => void>
  isWaiting(): boolean
  /** Gives the call the earlier of the two due times and the later of the two give-up times. */
  hurry(turn: Turn): void
}

interface WaitingLineOptions {
  /** Asks the budget of the key: 0 = a call may leave, else the milliseconds to wait. */
  readonly take: () => Promise<number>
  /**
   * Calls under way at once. As many as the pool has sockets, so that a call that has its slot does
   * not wait for a socket.
   */
  readonly maxRunning: number
  /** How many calls may stand in line. */
  readonly maxWaiting?: number
}

/**
 * Bounds the memory of the line. Each read waits at most 5 s, so a longer line would only refuse
 * more reads later.
 */
const MAX_WAITING = 10_000

interface Waiter {
  due: number
  giveUpAt: number
  waiting: boolean
  timer: NodeJS.Timeout | undefined
  readonly settle: PromiseWithResolvers<() => void>
}

/**
 * Creates a line in which the earliest due time goes first. The line takes a slot from the budget
 * and only then picks its head, so that the slot goes to the call that is most urgent at that
 * moment. One timer waits for the budget, however many calls stand in line.
 */
export const createWaitingLine = (options: WaitingLineOptions): WaitingLine => {
  const { take, maxRunning, maxWaiting = MAX_WAITING } = options
  const waiters = new Set<Waiter>()
  let running = 0
  /**
   * When the budget wants to be asked again, monotonic milliseconds. That is late while lemlist has
   * paused the key.
   */
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

  /** Waits until `ms` have passed, a call has ended or the line is closed. */
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
