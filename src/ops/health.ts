import type { Health } from '../telemetry/health.ts'
import type { Page } from './server.ts'

/**
 * Health on the port of the operators. Its connections wait in no line with those of callers, so an
 * orchestrator gets its answer at once while the gateway has too much to do.
 */
export const healthPages = (health: Health) => {
  const page = (ask: () => Awaitable<{ readonly code: number; readonly body: object }>): Page => ({
    contentType: 'application/json',
    text: async () => {
      const { code, body } = await ask()
      return { code, text: JSON.stringify(body) }
    },
  })
  return { '/health/live': page(health.live), '/health/ready': page(health.ready) }
}

type Awaitable<T> = T | Promise<T>
