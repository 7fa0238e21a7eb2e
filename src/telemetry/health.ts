/** Whether the gateway lives, and whether it can serve. Both of its ports tell the same. */

interface HealthOptions {
  /** Whether the store answers. The promise never rejects. */
  readonly storeHealthy: () => Promise<boolean>
  /** Whether a store that is not healthy waits for the operator to change a setting or a right. */
  readonly storeMisconfigured?: () => boolean
  /** Whether the gateway is stopping. */
  readonly stopping: () => boolean
}

export type Health = ReturnType<typeof createHealth>

export const createHealth = (options: HealthOptions) => {
  const { storeHealthy, storeMisconfigured = () => false, stopping } = options
  return {
    /** Checks no dependency, so that an orchestrator restarts only a dead process. */
    live: () => ({ code: 200, body: { status: 'ok' } }) as const,
    /** Names the state of each dependency. */
    ready: async () => {
      const healthy = await storeHealthy()
      const store = healthy ? 'ok' : storeMisconfigured() ? 'misconfigured' : 'down'
      const status = stopping() ? 'stopping' : healthy ? 'ready' : 'degraded'
      const code = status === 'stopping' ? 503 : 200
      return { code, body: { status, dependencies: { store } } } as const
    },
  }
}
