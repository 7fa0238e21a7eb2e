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

/** What the live page offers to watch: an export, or all exports of a campaign. */
export interface ReadyMadeExport {
  readonly title: string
  readonly campaignId: string
  /** Absent: all exports of the campaign. */
  readonly exportId?: string
}

interface PageRoutesOptions {
  /** The exports that the page offers from the start. Only the sandbox has some. */
  readonly readyMade: readonly ReadyMadeExport[]
}

/**
 * The page gets everything from the gateway. The browser runs nothing else and talks to nobody
 * else, even if a status of lemlist contains markup.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

/** Every file of `src/page/` that the gateway serves, except the HTML. */
const PARTS = {
  'page.js': SCRIPT,
  'words.js': SCRIPT,
  'troubles.js': SCRIPT,
  'dom.js': SCRIPT,
  'links.js': SCRIPT,
  'memory.js': SCRIPT,
  'asking.js': SCRIPT,
  'toast.js': SCRIPT,
  'access.js': SCRIPT,
  'signing-in.js': SCRIPT,
  'state.js': SCRIPT,
  'download.js': SCRIPT,
  'progress.js': SCRIPT,
  'bursts.js': SCRIPT,
  'card.js': SCRIPT,
  'line.js': SCRIPT,
  'tabs.js': SCRIPT,
  'stream.js': SCRIPT,
  'view.js': SCRIPT,
  'campaign.js': SCRIPT,
  'removing.js': SCRIPT,
  'list.js': SCRIPT,
  'starting.js': SCRIPT,
  'forms.js': SCRIPT,
  'offers.js': SCRIPT,
  'styles/base.css': STYLE,
  'styles/frame.css': STYLE,
  'styles/form.css': STYLE,
  'styles/campaign.css': STYLE,
  'styles/card.css': STYLE,
  'styles/states.css': STYLE,
  'styles/empty.css': STYLE,
  'styles/over.css': STYLE,
  'styles/media.css': STYLE,
  'styles/print.css': STYLE,
  'icon.svg': 'image/svg+xml',
} as const

const schema: FastifySchema = {
  operationId: 'getPage',
  tags: ['documentation'],
  summary: 'The live page',
  description:
    'Starts, watches and downloads exports in a browser. `/#cam_x/axp_y` opens the page with that export, `/#cam_x` with all exports of the campaign. Commas separate several. The gateway serves the page while `DOCS` is `true`.',
  response: {
    200: {
      description: 'The page.',
      headers: { ...STATIC_HEADERS, ...REQUEST_ID },
      content: { [HTML]: { schema: z.string() } },
    },
    304: nothing('The page has not changed since the `ETag` in `If-None-Match`.', {
      ...STATIC_HEADERS,
      ...REQUEST_ID,
    }),
    ...problemResponses(...COMMON_PROBLEMS),
  },
}

const OPEN = { open: true }

/** Serves the live page and its parts, byte for byte as they are in the source. */
export const pageRoutes = (app: FastifyInstance, { readyMade }: PageRoutesOptions) => {
  const read = (name: string, type: string) =>
    staticFile(new URL(`../../page/${name}`, import.meta.url), type)
  const index = read('index.html', HTML)
  app.get('/', { schema, config: OPEN }, (request, reply) => {
    reply.header('content-security-policy', POLICY).header('referrer-policy', 'no-referrer')
    return sendStatic(request, reply, index)
  })

  const offers = readyMade.map(({ title, campaignId, exportId }) => ({
    title,
    campaignId,
    exportId,
  }))
  const parts = Object.entries(PARTS).map(([name, type]) => [name, read(name, type)] as const)
  const offered = staticBytes(Buffer.from(JSON.stringify(offers)), 'application/json')
  for (const [name, file] of [...parts, ['ready-made.json', offered] as const]) {
    // These files belong to the page and not to the gateway's interface. They may change with every
    // version, so the document does not show them.
    app.get(`/page/${name}`, { schema: { hide: true }, config: OPEN }, (request, reply) =>
      sendStatic(request, reply, file),
    )
  }
}
