import type { App } from '../../src/app.ts'

/**
 * Counts the requests that the gateway reads from now on. The returned function resolves once there
 * are `count` of them in all.
 */
export const countArrivals = ({ server }: App): ((count: number) => Promise<void>) => {
  let arrived = 0
  let wake = () => {}
  server.server.on('request', () => {
    arrived += 1
    wake()
  })
  return async (count) => {
    while (arrived < count) {
      const next = Promise.withResolvers<void>()
      wake = next.resolve
      await next.promise
    }
  }
}
