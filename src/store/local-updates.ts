import type { UpdateListener, Updates } from '../exports/ports.ts'

/**
 * `Updates` of a single process. `publish` calls the listener before it returns, and rejects with
 * whatever the listener throws. A later `listen` replaces the listener.
 */
export const createLocalUpdates = (): Updates => {
  let listener: UpdateListener | undefined
  return {
    async publish(ref, update) {
      listener?.(ref, update, 'here')
    },
    listen(next) {
      listener = next
    },
  }
}
