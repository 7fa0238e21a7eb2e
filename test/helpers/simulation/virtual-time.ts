import { setImmediate as turn } from 'node:timers/promises'
import { type Clock, install } from '@sinonjs/fake-timers'

/**
 * Time that passes as fast as this process can work. The timers fire one after the other, and nothing
 * waits between them.
 */
export interface VirtualTime {
  /** Fires all timers up to `ms` milliseconds from now, and the timers that these set in this time. */
  pass(ms: number): Promise<void>
  uninstall(): void
}

/** So many turns of the event loop pass after each timer, so that promises and slices go on. */
const TURNS = 3

/**
 * Replaces the timers and clocks of this process, except `setImmediate`: real I/O needs it.
 *
 * @param isBusy whether something is under way that needs real time, such as an operation of the store
 */
export const installVirtualTime = (isBusy: () => boolean = () => false): VirtualTime => {
  const clock: Clock = install({
    now: Date.UTC(2026, 0, 2),
    toFake: [
      ...(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const),
      ...(['Date', 'performance'] as const),
    ],
  })
  const settle = async (): Promise<void> => {
    for (let left = TURNS; left > 0; left = isBusy() ? TURNS : left - 1) await turn()
  }
  return {
    pass: async (ms) => {
      const until = clock.now + ms
      await settle()
      for (;;) {
        const before = clock.now
        // This timer keeps `next` from going beyond the end.
        const stop = clock.setTimeout(() => {}, until - before)
        clock.next()
        clock.clearTimeout(stop)
        await settle()
        if (clock.now >= until) return
      }
    },
    uninstall: () => clock.uninstall(),
  }
}
