import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { pathOf } from '../request-target.ts'
import { serversAt } from './servers.ts'

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/**
 * The plugin links its files relative to the page only at `/docs/`, without a query. Everywhere else
 * it writes absolute paths, which leave the prefix when a proxy serves the gateway below one. So
 * other addresses of the page lead to `/docs/`.
 *
 * @returns where to go instead, relative to the request; undefined for the right address
 */
const elsewhere = (url: string): string | undefined => {
  const path = pathOf(url)
  if (path === '/docs') return 'docs/'
  if (path === '/docs/static/index.html') return '../'
  return path === '/docs/' && !url.endsWith('/') ? './' : undefined
}

const toThePage = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
  const target = elsewhere(request.url)
  if (target === undefined) done()
  else reply.redirect(target)
}

/** Serves Swagger UI at `/docs/`. */
export const swaggerUiRoutes = async (app: FastifyInstance): Promise<void> => {
  await app.register(openUi)
}

/** The page needs no credential. The user enters one in its `Authorize`. */
const openUi: FastifyPluginAsync = async (scope) => {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, open: true }
  })
  await registerUi(scope)
}

const registerUi = async (app: FastifyInstance): Promise<void> => {
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // The default policy has `upgrade-insecure-requests`, which breaks the page on a host that
    // speaks plain HTTP.
    staticCSP: POLICY,
    uiHooks: { onRequest: toThePage },
    // The page reads the document at `/docs/json`, one folder below the others.
    transformSpecification: (document) => ({ ...document, servers: serversAt('..') }),
    transformSpecificationClone: false,
    uiConfig: {
      // The default layout has a bar on top in which other documents can be opened.
      layout: 'BaseLayout',
      tryItOutEnabled: true,
      displayRequestDuration: true,
      deepLinking: true,
    },
    theme: { title: 'lemlist export gateway' },
  })
}
