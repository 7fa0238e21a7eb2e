import { flushCompileCache } from 'node:module'

/**
 * Preloaded into a measured server. On SIGWINCH, which stops no process, the server collects its garbage,
 * so that the benchmark compares memory after a collection and not at a random moment. It also stores its
 * compiled code.
 */
process.on('SIGWINCH', () => {
  flushCompileCache()
  globalThis.gc?.()
})
