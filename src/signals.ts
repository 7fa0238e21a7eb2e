/**
 * Signals that come before the gateway listens to them. The modules of the gateway load for up to a
 * second. Until then Node would do with a signal what the system does: SIGHUP ends the process, and
 * SIGTERM does so too, except that a container's first process is deaf to it.
 *
 * This file imports nothing, so that it is ready before everything else is loaded.
 */
const HELD = ['SIGHUP', 'SIGTERM', 'SIGINT'] as const

type Held = (typeof HELD)[number]

const came = new Set<Held>()
const hold = (signal: Held): void => void came.add(signal)

/** Holds signals back until `releaseSignals` is called, and keeps SIGUSR1 from Node for good. */
export const holdSignals = (): void => {
  for (const signal of HELD) process.on(signal, hold)
  // By default Node opens a debugger on this signal, through which everybody on the machine can
  // read the key. Node started with `--inspect` still opens one.
  process.on('SIGUSR1', () => {})
}

/** Sends the signals again that were held back. Somebody else listens to them now. */
export const releaseSignals = (...signals: readonly Held[]): void => {
  for (const signal of signals) {
    process.off(signal, hold)
    if (came.delete(signal)) process.kill(process.pid, signal)
  }
}
