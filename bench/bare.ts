import Fastify from 'fastify'

/**
 * A bare Fastify route, to compare the gateway with: it replies with one string and the headers of
 * a cached status, and does nothing else. It also is the origin of the caches that the gateway is compared
 * with; `X-Cache-Timeout` is for fast-gateway.
 */
const body = JSON.stringify({
  ok: true,
  status: { _id: 'axp_1', status: 'done', note: 'x'.repeat(Number(process.env.BODY_BYTES) - 60) },
})
const app = Fastify()
app.get('/campaigns/:campaignId/export/:exportId/status', (_request, reply) => {
  reply
    .header('etag', '"1T-9kpITFqaqPNxGrB79TV"')
    .header('age', '0')
    .header('cache-status', 'lemlist-gateway; hit; ttl=86399')
    .header('link', '</campaigns/cam_1/export/axp_1/events>; rel="monitor"')
    .header('x-request-id', 'afea7274-023a-474c-9de7-27da9f9074d8')
    .header('x-content-type-options', 'nosniff')
    .header('cache-control', 'private, max-age=3600')
    .headers(process.env.CACHE_TIMEOUT ? { 'x-cache-timeout': process.env.CACHE_TIMEOUT } : {})
    .type('application/json')
    .send(body)
})
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
