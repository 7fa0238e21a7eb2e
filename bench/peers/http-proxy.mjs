import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'

/** Fastify with @fastify/http-proxy, which has no cache. */
const { PORT, ORIGIN = '' } = process.env
const app = Fastify()
await app.register(httpProxy, { upstream: ORIGIN })
await app.listen({ port: Number(PORT), host: '127.0.0.1' })
