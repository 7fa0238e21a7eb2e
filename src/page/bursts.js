// @ts-check

/**
 * How long news wait while others have just been shown, milliseconds. When a hundred exports run, there
 * is news all the time. Shown one by one, they would make the browser lay the page out for each frame.
 */
const REST_MS = 1000

/**
 * Collects what changes, and shows it at once after a rest, else together at the end of the rest.
 *
 * @template T
 * @param {(changed: readonly T[]) => void} show
 * @returns {(one: T) => void}
 */
export const inBursts = (show) => {
  /** @type {Set<T>} */
  const waiting = new Set()
  let isWaiting = false
  let restsUntil = 0
  const end = () => {
    isWaiting = false
    restsUntil = performance.now() + REST_MS
    const changed = [...waiting]
    waiting.clear()
    if (changed.length > 0) show(changed)
  }
  return (one) => {
    waiting.add(one)
    // Nobody sees a hidden page, and a browser may hold its timers back for a minute.
    if (document.hidden) return end()
    if (isWaiting) return
    isWaiting = true
    setTimeout(end, Math.max(0, restsUntil - performance.now()))
  }
}
