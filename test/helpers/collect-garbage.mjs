/**
 * Preloaded into a process with `--expose-gc`. On SIGWINCH, which stops no process, it collects its garbage
 * and writes what is left, and what is open, to standard error. So a test sees what is kept, and not what V8 has not yet thrown
 * away.
 */
process.on('SIGWINCH', () => {
  globalThis.gc()
  const resources = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  process.stderr.write(`kept ${JSON.stringify({ ...process.memoryUsage(), resources })}\n`)
})
