import { Agent } from 'node:http'
import apicache from 'apicache'
import express from 'express'
import { createProxyMiddleware } from 'http-proxy-middleware'

/** Express with http-proxy-middleware, and apicache before it. */
const { PORT, ORIGIN = '' } = process.env
const app = express()
app.use(apicache.middleware('1 hour'))
// Without keep-alive the proxy keeps `Connection: close` in its answers, and each hit would cost a connection.
const agent = new Agent({ keepAlive: true })
app.use(createProxyMiddleware({ target: ORIGIN, changeOrigin: true, agent }))
app.listen(Number(PORT), '127.0.0.1')
