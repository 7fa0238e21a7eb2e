import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build, createServer } from 'vite'
import { describe, expect, it, onTestFinished } from 'vitest'
import webpack from 'webpack'
import { browserObstacle } from '../helpers/chromium.ts'
import { startGateway } from '../helpers/gateway.ts'
import { IN_HASTE, sharedBrowser } from '../helpers/live-page.ts'
import { tempDirectory } from '../helpers/process.ts'

const obstacle = browserObstacle()
const project = join(import.meta.dirname, '../..')
const REF = { campaignId: 'cam_Bundlers1', exportId: 'axp_Bundlers1' }
const HTML = `<!doctype html><link rel="icon" href="data:,">
<div id="app"></div><script type="module" src="./app.js"></script>`

const openPage = sharedBrowser()

/**
 * A React project as its author would make it: the hook of the examples, and beside it the client
 * that the gateway serves. It has no configuration of any bundler.
 */
const startProject = async () => {
  const gateway = await startGateway(IN_HASTE)
  gateway.lemlist.add({ ...REF, outcome: 'never', durationMs: 600_000 })
  const folder = tempDirectory()
  const app = readFileSync(join(project, 'test/browser/react-app.js'), 'utf8')
  writeFileSync(join(folder, 'app.js'), app.replace('../../examples/', './'))
  copyFileSync(join(project, 'examples/react-hook.js'), join(folder, 'react-hook.js'))
  const client = await (await fetch(`${gateway.url}/client.js`)).text()
  writeFileSync(join(folder, 'client.js'), client)
  writeFileSync(join(folder, 'index.html'), HTML)
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'))
  return { gateway, folder, output: join(folder, 'dist') }
}

const watches = async (
  { gateway }: Awaited<ReturnType<typeof startProject>>,
  open: (query: string) => ReturnType<typeof openPage>,
) => {
  const { page, complaints } = await open(`?${new URLSearchParams(REF)}`)
  await page.locator('#state', { hasText: `${REF.exportId}: pending` }).waitFor()
  gateway.lemlist.finish(REF.exportId)
  await page.locator('#state', { hasText: `${REF.exportId}: done` }).waitFor()
  expect(complaints.filter((line) => /error/i.test(line))).toEqual([])
}

/** Opens a page on the origin of the gateway, with these files beside it. */
const openBuilt = async (url: string, folder: string, html: string, query: string) => {
  const opened = await openPage('about:blank')
  await opened.page.route(`${url}/built/**`, (route) => {
    const { pathname } = new URL(route.request().url())
    const name = pathname.replace('/built/', '')
    return name === ''
      ? route.fulfill({ contentType: 'text/html', body: html })
      : route.fulfill({ path: join(folder, name) })
  })
  await opened.page.goto(`${url}/built/${query}`)
  return opened
}

describe.skipIf(obstacle !== undefined)(
  `the React hook beside the client of the gateway${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    it('builds with Vite', async () => {
      const made = await startProject()
      await build({ root: made.folder, base: './', configFile: false, logLevel: 'error' })
      const html = readFileSync(join(made.output, 'index.html'), 'utf8')
      await watches(made, (query) => openBuilt(made.gateway.url, made.output, html, query))
    })

    it('runs in the development server of Vite, which passes requests on', async () => {
      const made = await startProject()
      const server = await createServer({
        ...{ root: made.folder, configFile: false, logLevel: 'error' },
        cacheDir: join(made.folder, 'cache'),
        server: {
          ...{ host: '127.0.0.1', port: 0 },
          // The one line that a project needs.
          proxy: { '/campaigns': made.gateway.url },
        },
      })
      onTestFinished(() => server.close())
      await server.listen()
      const [url] = server.resolvedUrls?.local ?? []
      await watches(made, (query) => openPage(`${url}${query}`))
    })

    it('builds with webpack', async () => {
      const made = await startProject()
      const entry = join(made.folder, 'app.js')
      const compiler = webpack({
        ...{ mode: 'development', devtool: false, context: made.folder, entry },
        output: { path: made.output, filename: 'app.js' },
      })
      const stats = await promisify(compiler.run.bind(compiler))()
      await promisify(compiler.close.bind(compiler))()
      expect(stats?.toJson({ all: false, errors: true }).errors).toEqual([])
      await watches(made, (query) => openBuilt(made.gateway.url, made.output, HTML, query))
    })
  },
)
