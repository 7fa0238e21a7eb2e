import type { FastifyInstance, FastifySchema } from 'fastify'
import { z } from 'zod'
import {
  COMMON_PROBLEMS,
  COMPRESSED_HEADERS,
  nothing,
  problemResponses,
  REQUEST_ID,
  STATIC_HEADERS,
  VARY_ENCODING,
} from '../openapi/responses.ts'
import { compressed, sendStatic, staticFile } from '../static-file.ts'

const FILES = [
  {
    url: '/client.js',
    type: 'text/javascript; charset=utf-8',
    operationId: 'getClient',
    summary: 'The typed client as an ES module',
    description:
      'One ES module without dependencies, for browsers and Node. It has the version of this gateway. It exports the functions `watchExport`, `watchExports`, `getStatus`, `startExport`, `downloadUrl`, `downloadLink` and `createTicket`, and the class `GatewayProblem`.',
  },
  {
    url: '/client.d.ts',
    type: 'text/plain; charset=utf-8',
    operationId: 'getClientTypes',
    summary: 'The types of the client',
    description:
      'The TypeScript declarations of `/client.js`. Their comments document every function.',
  },
] as const

/** Serves the typed client as it is in the source, compressed to whoever takes that. */
export const clientRoutes = (app: FastifyInstance) => {
  for (const { url, type, ...about } of FILES) {
    const file = compressed(staticFile(new URL(`../../client${url}`, import.meta.url), type))
    const schema: FastifySchema = {
      ...about,
      tags: ['client'],
      response: {
        200: {
          description: 'The file.',
          headers: { ...STATIC_HEADERS, ...COMPRESSED_HEADERS, ...REQUEST_ID },
          content: { [type]: { schema: z.string() } },
        },
        304: nothing('The file has not changed since the `ETag` in `If-None-Match`.', {
          ...STATIC_HEADERS,
          ...VARY_ENCODING,
          ...REQUEST_ID,
        }),
        ...problemResponses(...COMMON_PROBLEMS),
      },
    }
    app.get(url, { schema, config: { open: true } }, (request, reply) =>
      sendStatic(request, reply, file),
    )
  }
}
