import type { FastifyInstance, FastifySchema } from 'fastify'
import { z } from 'zod'
import {
  COMMON_PROBLEMS,
  nothing,
  problemResponses,
  REQUEST_ID,
  STATIC_HEADERS,
} from '../openapi/responses.ts'
import { sendStatic, staticBytes, staticFile } from '../static-file.ts'

/** An export that the page offers to follow. */
export interface ReadyMadeExport {
  readonly title: string
  readonly campaignId: string
  readonly exportId: string
}

interface PageRoutesOptions {
  /** What there is to look at without any configuration; only the sandbox has some. */
  readonly readyMade: readonly ReadyMadeExport[]
}

/** All that the page needs comes from here; nothing else runs or is spoken to, whatever a status says. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const TYPES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

const HTML = 'text/html; charset=utf-8'

const schema: FastifySchema = {
  operationId: 'getPage',
  tags: ['documentation'],
  summary: 'The live page',
  description:
    'Start, watch and download exports in a browser. `/#cam_x/axp_y` opens it with that export, several are joined by commas. Served while `DOCS` is on.',
  response: {
    200: {
      description: 'The page.',
      headers: { ...STATIC_HEADERS, ...REQUEST_ID },
      content: { [HTML]: { schema: z.string() } },
    },
    304: nothing('As it was.', { ...STATIC_HEADERS, ...REQUEST_ID }),
    ...problemResponses(...COMMON_PROBLEMS),
  },
}

/** The live page and its parts, byte for byte as they are in the source. */
export const pageRoutes = (app: FastifyInstance, { readyMade }: PageRoutesOptions) => {
  const read = (name: string, type: string) =>
    staticFile(new URL(`../../page/${name}`, import.meta.url), type)
  const index = read('index.html', HTML)
  app.get('/', { schema }, (request, reply) => {
    reply.header('content-security-policy', POLICY).header('referrer-policy', 'no-referrer')
    return sendStatic(request, reply, index)
  })

  const offers = readyMade.map(({ title, campaignId, exportId }) => ({
    title,
    campaignId,
    exportId,
  }))
  const parts = Object.entries(TYPES).map(([name, type]) => [name, read(name, type)] as const)
  const offered = staticBytes(Buffer.from(JSON.stringify(offers)), 'application/json')
  for (const [name, file] of [...parts, ['ready-made.json', offered] as const]) {
    // Parts of the page and no part of the interface: they may change with every version.
    app.get(`/page/${name}`, { schema: { hide: true } }, (request, reply) =>
      sendStatic(request, reply, file),
    )
  }
}
