/** Preloaded into a server: memory is compared after a collection, or it would be a matter of luck. The signal is one
 * that stops nobody. */
process.on('SIGWINCH', () => {
  globalThis.gc?.()
})
