import { performance } from 'node:perf_hooks'
import type { Bounds } from '../exports/bounds.ts'
import type { Budget, Turn, Upstream } from '../exports/ports.ts'
import type { CallClass } from '../exports/schedule.ts'
import { Problem } from '../problems.ts'
import { toSnapshot, toStarted } from './answers.ts'
import { type ConnectionOptions, createConnection, SOCKETS } from './connection.ts'
import { isReset, NotSent, toProblem } from './failures.ts'
import { fileFrom, whenItComes } from './file.ts'
import { type Outcome, outcomeOfError, outcomeOfStatus } from './outcome.ts'
import { createThrottle } from './throttle.ts'
import { createWaitingLine, type Place } from './waiting-line.ts'

export interface LemlistOptions extends ConnectionOptions {
  readonly account: string
  readonly budget: Budget
  readonly fileTtlMs: number
  /** The gateway cuts a file that takes longer than this, milliseconds. Default 30 min. */
  readonly longestFileMs?: number
  /** Called when lemlist gives an answer of a shape that its documents do not have. */
  readonly onOddShape?: () => void
  /** Counts the calls and their waits. Default: nobody counts. */
  readonly meter?: Meter | undefined
  readonly bounds?: Bounds | undefined
  /** Begins the span of a call. Default: nobody wants traces. */
  readonly beginCall?: ((operation: string) => CallSpan) | undefined
}

interface CallSpan {
  end(attributes: Readonly<Record<string, string | number>>, failure?: string): void
}

/** What is counted of the calls of an account. Times are milliseconds. */
export interface Meter {
  called(operation: 'status' | 'start' | 'file', outcome: Outcome, ms: number): void
  waited(callClass: CallClass, ms: number): void
}

export interface Lemlist extends Upstream {
  /** How many calls wait for their turn. */
  waiting(): number
  /** Closes the waiting line and every socket. */
  close(): Promise<void>
}

const LONGEST_FILE_MS = 30 * 60_000

/** Creates the client of one lemlist account. Every call stands in its waiting line. */
export const createLemlist = (options: LemlistOptions): Lemlist => {
  const { account, budget, timeoutMs, fileTtlMs, longestFileMs = LONGEST_FILE_MS, meter } = options
  const connection = createConnection(options)
  const line = createWaitingLine({
    take: (isDue) => budget.take(account, isDue),
    isScarce: () => budget.isScarce?.() ?? false,
    maxRunning: SOCKETS,
    onTurn: meter?.waited,
    bounds: options.bounds,
  })
  const obey = createThrottle(budget, account)

  /**
   * Makes a call when its place in line comes up. lemlist may close a kept-alive socket at the
   * moment in which the gateway uses it again. Then the call is made a second time, which is safe
   * because only reads come here. The second try stands in line and counts against the budget like
   * any call.
   */
  const repeatable = (turn: Turn, pool: 'calls' | 'files') => {
    const hasSockets = pool === 'files'
    let place = line.enter(turn, hasSockets)
    const attempt = async <T>(call: () => Promise<T>, mayRetry: boolean): Promise<T> => {
      const release = await place.slot
      const mayBeStale = connection.reuses(pool)
      try {
        return await call()
      } catch (error) {
        if (!mayRetry || !mayBeStale || !isReset(error)) throw toProblem(error)
      } finally {
        release()
      }
      const giveUpAt = performance.now() + timeoutMs / 2
      place = line.enter({ ...turn, giveUpAt }, hasSockets)
      return attempt(call, false)
    }
    const started = left(place)
    return { run: <T>(call: () => Promise<T>) => attempt(call, true), place: () => place, started }
  }

  /** Counts a call by the status of its answer, or by its error. */
  const counted = async <T>(
    operation: 'status' | 'start' | 'file',
    make: () => Promise<T>,
    statusOf: (answer: T) => number,
  ): Promise<T> => {
    if (meter === undefined && options.beginCall === undefined) return make()
    const span = options.beginCall?.(operation)
    const since = performance.now()
    const tell = (outcome: Outcome): void => {
      meter?.called(operation, outcome, performance.now() - since)
      const failure = outcome === 'ok' || outcome === 'not-found' ? undefined : outcome
      span?.end({ 'gateway.outcome': outcome }, failure)
    }
    try {
      const answer = await make()
      tell(outcomeOfStatus(statusOf(answer)))
      return answer
    } catch (error) {
      tell(outcomeOfError(error))
      throw error
    }
  }

  const get = async (operation: 'status' | 'start', path: string) => {
    const raw = await counted(
      operation,
      () => connection.get(path),
      ({ status }) => status,
    )
    // The pause begins before this call frees its place, so that the next call finds it.
    obey(raw)
    return raw
  }

  const understood = <T>(read: () => T): T => {
    try {
      return read()
    } catch (error) {
      if (error instanceof Problem && error.code === 'upstream-invalid') options.onOddShape?.()
      throw error
    }
  }

  return {
    status: (ref, turn) => {
      const { run, place, started } = repeatable(turn, 'calls')
      const path = `/campaigns/${ref.campaignId}/export/${ref.exportId}/status`
      return {
        answer: run(() => get('status', path)).then((raw) =>
          understood(() => toSnapshot(ref, raw, fileTtlMs)),
        ),
        started,
        isWaiting: () => place().isWaiting(),
        hurry: (sooner) => place().hurry(sooner),
      }
    },
    start: async (campaign, turn) => {
      const release = await line.enter(turn).slot.catch(neverLeft)
      try {
        const raw = await get('start', `/campaigns/${campaign.campaignId}/export/start`)
        return understood(() => toStarted(campaign, raw))
      } catch (error) {
        throw toProblem(error)
      } finally {
        release()
      }
    },
    file: async (name, { range, turn, signal }) => {
      const answer = await repeatable(turn, 'files').run(async () => {
        const whole = AbortSignal.any([signal, AbortSignal.timeout(longestFileMs)])
        const path = `/files/exports/${encodeURIComponent(name)}`
        const opened = await counted(
          'file',
          () => connection.open(path, range, whole),
          ({ statusCode }) => statusCode,
        )
        obey({ status: opened.statusCode, headers: opened.headers, receivedAt: Date.now() })
        return fileFrom(opened, { range, timeoutMs })
      })
      // The place in line is free by now, so a file that is slow to begin does not delay any
      // status.
      return whenItComes(answer)
    },
    waiting: () => line.length(),
    close: async () => {
      line.close()
      await connection.close()
    },
  }
}

/** A budget that fails keeps a call in line. */
const neverLeft = (error: unknown): never => {
  throw toProblem(new NotSent(error))
}

const nothing = (): void => {}

const left = ({ slot }: Place): Promise<void> => slot.then(nothing, nothing)
