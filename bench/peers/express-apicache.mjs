import { Agent } from 'node:http'
import apicache from 'apicache'
import express from 'express'
import { createProxyMiddleware } from 'http-proxy-middleware'

/** Express with http-proxy-middleware, and apicache before it. */
const { PORT, ORIGIN = '', KEEP_ALIVE } = process.env
const app = express()
app.use(apicache.middleware('1 hour'))
// As these two come, the proxy passes on `Connection: close`, and the cache keeps it: each hit costs a
// connection.
const agent = KEEP_ALIVE === undefined ? undefined : new Agent({ keepAlive: true })
app.use(createProxyMiddleware({ target: ORIGIN, changeOrigin: true, agent }))
app.listen(Number(PORT), '127.0.0.1')
