import type { App } from '../../src/app.ts'

/** Resolves once the gateway has read so many requests in all, from when it is called. */
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
