/**
 * Preloaded into a measured server. On SIGWINCH the server collects its garbage, so that the
 * benchmark compares memory after a collection and not at a random moment. SIGWINCH stops no
 * process.
 */
process.on('SIGWINCH', () => {
  globalThis.gc?.()
})
