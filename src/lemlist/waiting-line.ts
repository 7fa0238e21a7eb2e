import { performance } from 'node:perf_hooks'
import { type Bounds, UNMEASURED } from '../exports/bounds.ts'
import type { Turn } from '../exports/ports.ts'
import type { CallClass } from '../exports/schedule.ts'
import { Problem } from '../problems.ts'
import { createShares } from './shares.ts'
import { hurry, type Waiter, waiterOf } from './waiter.ts'

/** The line in front of one lemlist key. Every call to lemlist stands in it. */
export interface WaitingLine {
  /**
   * @param unlimited true for a call whose pool has sockets of its own. Such a call does not wait
   * for the calls under way, and they do not wait for it. It needs a slot of the budget like any
   * call.
   */
  enter(turn: Turn, unlimited?: boolean): Place
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
  /**
   * Gives the call the earlier due time, the later give-up time and the better class of the two
   * turns. When the new turn has no `isWanted`, the call is wanted from now on.
   */
  hurry(turn: Turn): void
}

interface WaitingLineOptions {
  /**
   * Asks the budget of the key: 0 = a call may leave, else the milliseconds to wait. The budget may
   * ask whether a call waits now whose due time has come, as that of a caller's read has.
   */
  readonly take: (isDue: () => boolean) => Promise<number>
  /** Whether the earliest due call goes first, whatever its class. Default: never. */
  readonly isScarce?: () => boolean
  /**
   * Calls under way at once. As many as the pool has sockets, so that a call that has its slot does
   * not wait for a socket.
   */
  readonly maxRunning: number
  /** How many calls may stand in line. */
  readonly maxWaiting?: number
  readonly bounds?: Bounds | undefined
  /** Called when a call has its turn, with the milliseconds that it stood in line. */
  readonly onTurn?: ((callClass: CallClass, ms: number) => void) | undefined
}

/**
 * Bounds the memory of the line. Each read waits at most 5 s, so a longer line would only refuse
 * more reads later.
 */
const MAX_WAITING = 10_000

const nothing = (): void => {}

/**
 * Creates a line in which the earliest due time goes first, among the classes that the shares
 * allow. The line takes a slot from the budget and only then picks its head, so that the slot goes
 * to the call that is most urgent at that moment. One timer waits for the budget, however many
 * calls stand in line.
 */
export const createWaitingLine = (options: WaitingLineOptions): WaitingLine => {
  const { take, isScarce = () => false, maxRunning, maxWaiting = MAX_WAITING } = options
  const waiters = new Set<Waiter>()
  const { bounds = UNMEASURED } = options
  bounds('waiting-calls', () => waiters.size / maxWaiting)
  const shares = createShares()
  let running = 0
  /**
   * When the budget wants to be asked again, monotonic milliseconds. That is late while lemlist has
   * paused the key.
   */
  let restsUntil = 0
  let serving = false
  let closed = false
  let wake: () => void = nothing

  const refusal = (detail: string): Problem => {
    const restMs = restsUntil - performance.now()
    const retryAfterMs = Math.max(1_000, restMs)
    return new Problem('budget-exhausted', detail, { retryAfterMs, notSent: true })
  }

  const leave = (waiter: Waiter): void => {
    waiter.waiting = false
    clearTimeout(waiter.timer)
    waiters.delete(waiter)
  }

  const turnAway = (waiter: Waiter, reason: unknown): void => {
    leave(waiter)
    waiter.settle.reject(reason)
  }

  const giveUpLater = (waiter: Waiter): void => {
    clearTimeout(waiter.timer)
    if (waiter.giveUpAt === Number.POSITIVE_INFINITY) return
    const leftMs = Math.max(0, waiter.giveUpAt - performance.now())
    waiter.timer = setTimeout(
      () => turnAway(waiter, refusal('No call to lemlist was free in time.')),
      leftMs,
    )
  }

  /** Whether the call would find a free socket now. */
  const mayLeave = ({ unlimited }: Waiter): boolean => unlimited || running < maxRunning

  const dropUnwanted = (): void => {
    for (const waiter of waiters) {
      if (waiter.isWanted?.() === false)
        turnAway(waiter, refusal('Nobody waits for this call any more.'))
    }
  }

  const isAnybodyReady = (): boolean => [...waiters].some(mayLeave)

  const isAnybodyDue = (): boolean => {
    dropUnwanted()
    const now = performance.now()
    return [...waiters].some((waiter) => waiter.due <= now && mayLeave(waiter))
  }

  /**
   * Returns the call with the earliest due time, among the classes that the next slot may go to.
   */
  const head = (): Waiter | undefined => {
    const ready = [...waiters].filter(mayLeave)
    const classes = shares.next(new Set(ready.map(({ callClass }) => callClass)))
    const isAny = isScarce()
    let first: Waiter | undefined
    for (const waiter of ready) {
      if (!isAny && !classes.includes(waiter.callClass)) continue
      if (first === undefined || waiter.due < first.due) first = waiter
    }
    return first
  }

  /**
   * Resolves after `ms` milliseconds, when a call ends, when the line closes, or when a call enters
   * while all sockets are busy.
   */
  const rest = async (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    const timer = Number.isFinite(ms) ? setTimeout(resolve, Math.ceil(ms)) : undefined
    await promise
    clearTimeout(timer)
    wake = nothing
  }

  const go = (waiter: Waiter): void => {
    leave(waiter)
    shares.spent(waiter.callClass)
    options.onTurn?.(waiter.callClass, performance.now() - waiter.since)
    const counts = waiter.unlimited ? 0 : 1
    running += counts
    let released = false
    waiter.settle.resolve(() => {
      if (released) return
      released = true
      running -= counts
      wake()
    })
  }

  const serveNext = async (): Promise<void> => {
    dropUnwanted()
    if (waiters.size === 0) return
    if (!isAnybodyReady()) return rest(Number.POSITIVE_INFINITY)
    /** What the budget was told. A budget asks only if it may have a call for what is due alone. */
    let wasDue: boolean | undefined
    const waitMs = await take(() => {
      wasDue = isAnybodyDue()
      return wasDue
    })
    if (waitMs > 0) {
      // A caller who came after the budget had asked may have a slot that the others do not get. To a
      // budget that has not asked, the caller makes no difference: it would be asked without end.
      if (wasDue === false && isScarce() && isAnybodyDue()) return
      restsUntil = performance.now() + waitMs
      return rest(waitMs)
    }
    dropUnwanted()
    const next = head()
    if (next !== undefined) go(next)
  }

  const serve = async (): Promise<void> => {
    if (serving) return
    serving = true
    try {
      while (waiters.size > 0 && !closed) await serveNext()
    } catch (error) {
      for (const waiter of [...waiters]) turnAway(waiter, error)
    } finally {
      serving = false
    }
  }

  return {
    enter: (turn, unlimited = false) => {
      const waiter = waiterOf(turn, unlimited)
      if (closed || waiters.size >= maxWaiting) {
        turnAway(waiter, refusal('Too many calls to lemlist are waiting.'))
      } else {
        waiters.add(waiter)
        giveUpLater(waiter)
        // A call whose time has come may have a slot that the others in line do not get.
        if (running >= maxRunning || isScarce()) wake()
        void serve()
      }
      return {
        slot: waiter.settle.promise,
        isWaiting: () => waiter.waiting,
        hurry: (other) => {
          if (!waiter.waiting) return
          hurry(waiter, other)
          giveUpLater(waiter)
          if (isScarce()) wake()
        },
      }
    },
    length: () => waiters.size,
    close: () => {
      closed = true
      for (const waiter of [...waiters]) turnAway(waiter, refusal('The gateway is stopping.'))
      wake()
    },
  }
}
