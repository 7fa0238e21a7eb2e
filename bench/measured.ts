import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/**
 * Preloaded into a measured server. On SIGWINCH, which stops no process, the server writes the
 * longest stall of its event loop since the last signal into the file `longest-stall` of its
 * directory, in milliseconds. Then it collects its garbage, so that the benchmark compares memory
 * after a collection and not at a random moment.
 */
const NS_PER_MS = 1e6
const histogram = monitorEventLoopDelay({ resolution: 1 })
histogram.enable()

process.on('SIGWINCH', () => {
  writeFileSync('longest-stall', `${histogram.max / NS_PER_MS}\n`)
  globalThis.gc?.()
  // The write and the collection stall the loop as well. The histogram records that in the next
  // turn, so it begins anew only after that.
  setImmediate(() => setImmediate(() => histogram.reset()))
})
