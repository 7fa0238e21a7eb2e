import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/**
 * Preloaded into a server whose stalls are measured, before measured.ts. On SIGWINCH the server writes
 * the longest stall of its event loop since the last signal into the file `longest-stall` of its
 * directory, in milliseconds. The watch wakes the process 1 000 times a second. So no other server has it: it
 * would count as 2 % of a core.
 */
const NS_PER_MS = 1e6
const histogram = monitorEventLoopDelay({ resolution: 1 })
histogram.enable()

process.on('SIGWINCH', () => {
  writeFileSync('longest-stall', `${histogram.max / NS_PER_MS}\n`)
  // This write and the collection that follows stall the loop as well. The histogram records that in
  // the next turn, so it begins anew only after that.
  setImmediate(() => setImmediate(() => histogram.reset()))
})
