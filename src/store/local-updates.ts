import type { Updates } from '../exports/ports.ts'

/**
 * `Updates` of a single process: the listener is called before `publish` returns, and what it throws
 * rejects that `publish`. A later `listen` replaces the listener.
 */
export const createLocalUpdates = (): Updates => {
  let listener: Parameters<Updates['listen']>[0] | undefined
  return {
    async publish(ref, update) {
      listener?.(ref, update)
    },
    listen(next) {
      listener = next
    },
  }
}
