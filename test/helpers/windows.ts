/**
 * The highest number of times in any window of this length.
 * @param times ascending, milliseconds
 */
export const busiestWindow = (times: readonly number[], windowMs: number): number => {
  let from = 0
  let most = 0
  for (const [index, time] of times.entries()) {
    while (time - (times[from] ?? time) >= windowMs) from += 1
    most = Math.max(most, index - from + 1)
  }
  return most
}
