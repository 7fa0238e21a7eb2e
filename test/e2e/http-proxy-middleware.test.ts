import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventSource } from 'eventsource'
import { createProxyMiddleware, type Options } from 'http-proxy-middleware'
import { describe, expect, it, onTestFinished } from 'vitest'
import { recordAnswered } from '../helpers/answered.ts'
import { eventsPath, manyEventsPath, startGateway } from '../helpers/gateway.ts'
import { startHastyProxy } from '../helpers/hasty-proxy.ts'
import { fencesIn } from '../helpers/markdown.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

/** http-proxy-middleware does not pass a broken response on, nor do the proxies of Vite and webpack. */
const startProxy = async (options: Options): Promise<string> => {
  const proxy = createProxyMiddleware(options)
  const server = createServer((request, response) => void proxy(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  // A server that listens on a port has an address with a port.
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

/** The options with the function that docs/operations.md shows for those who keep `SSE_CUT=abrupt`. */
const loadPassOn = async (): Promise<Options> => {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const [fence, ...others] = fencesIn(page).filter(({ language }) => language === 'js')
  if (fence === undefined || others.length > 0) throw new Error('the page shows not one function')
  const module = await import(
    `data:text/javascript,${encodeURIComponent(`${fence.text}\nexport { passOn }`)}`
  )
  return { on: { proxyRes: module.passOn } }
}

const WAYS = [
  ['SSE_CUT=clean', 'clean', {}],
  ["the proxy's own way", 'abrupt', await loadPassOn()],
] as const

describe('an EventSource behind http-proxy-middleware', () => {
  const startBehind = async (cut: string, options: Options) => {
    const env = { ...FAST, SSE_MAX_AGE_MS: '1000', SSE_CUT: cut }
    const gateway = await startGateway({ env, lemlist: { rateLimit: UNLIMITED } })
    const hasty = await startHastyProxy(gateway.url)
    const url = await startProxy({ target: hasty.url, ...options })
    const watch = (path: string) => {
      const source = new EventSource(url + path)
      onTestFinished(() => source.close())
      return new Promise<string>((resolve) => {
        source.addEventListener('end', ({ data }) => {
          source.close()
          resolve(JSON.parse(data).reason)
        })
      })
    }
    return { ...gateway, watch }
  }

  // Regression: after the cut of a rotation the browser's stream stayed open and silent, and was
  // never told the end.
  it.each(WAYS)('comes back after each rotation, with %s', async (_, cut, options) => {
    const { app, lemlist, watch } = await startBehind(cut, options)
    const answered = recordAnswered(app)
    const ref = lemlist.add({ outcome: 'never' })
    const ends = [watch(eventsPath(ref)), watch(manyEventsPath([ref]))]
    await expect.poll(() => answered.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(4)
    lemlist.finish(ref.exportId)
    expect(await Promise.all(ends)).toEqual(['done', 'complete'])
  })
})
