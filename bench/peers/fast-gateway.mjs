import fastGateway from 'fast-gateway'
import httpCache from 'http-cache-middleware'

/** fast-gateway with its cache. The origin says by `x-cache-timeout` how long it may keep an answer. */
const { PORT, ORIGIN = '' } = process.env
const gateway = fastGateway({
  middlewares: [httpCache()],
  routes: [{ prefix: '/campaigns', prefixRewrite: '/campaigns', target: ORIGIN }],
})
await gateway.start(Number(PORT), '127.0.0.1')
