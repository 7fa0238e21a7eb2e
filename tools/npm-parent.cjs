'use strict'

/**
 * Ends the process when npm is gone. npm passes SIGTERM on to the shell that it has started, and
 * the shell ends without passing it on. The gateway would stay, with its port open, as a child of
 * process 1.
 */

/** How often the process looks for its parent, milliseconds. */
const LOOK_MS = 500

/** Sends SIGTERM to this process once its parent has ended. The timer does not keep it alive. */
const followParent = () => {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, LOOK_MS)
  timer.unref()
}

module.exports = { followParent }
