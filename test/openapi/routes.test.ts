import { pino } from 'pino'
import { beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/config.ts'
import { PROBLEMS } from '../../src/problems.ts'
import { OPERATIONS, problemCodes } from '../helpers/openapi.ts'
import { PROMISED_PROBLEMS } from '../helpers/problem.ts'

/** The routes of the router, read from the drawing that it makes of its tree. */
const registered = async (): Promise<string[]> => {
  const config = loadConfig({ LEMLIST_API_KEY: 'none', STORE_URL: 'memory:' })
  const app = await createApp({ config, logger: pino({ level: 'silent' }) })
  await app.server.ready()
  const tree = app.server.printRoutes({ commonPrefix: false })
  await app.close()
  const path: string[] = []
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', segment = '', methods = ''] =
      /^([│ ]*)[├└]── (\S+)(?: \((.+)\))?/.exec(line) ?? []
    if (segment === '') return []
    path.length = indent.length / 4
    path.push(segment)
    const url = path.join('').replace(/:([A-Za-z]+)/g, '{$1}')
    return methods === '' ? [] : methods.split(', ').map((method) => `${method} ${url}`)
  })
}

/** The pages and files of Swagger UI and of the live page are for people and not documented. */
const isPage = (name: string): boolean => /^[A-Z]+ \/(docs|page\/)/.test(name)

describe('the routes', () => {
  let routes: string[] = []
  beforeAll(async () => {
    routes = await registered()
  })

  it('are read from the router', () => {
    expect(routes).toEqual(
      expect.arrayContaining([
        'GET /health/live',
        'GET /campaigns/{campaignId}/export/{exportId}/status',
        'HEAD /campaigns/{campaignId}/export/{exportId}/status',
      ]),
    )
  })

  it('are those of the document, besides the pages for people', () => {
    const served = routes.filter((name) => !isPage(name))
    expect(served.filter((name) => name.startsWith('HEAD ')).length).toBeGreaterThan(5)
    expect(served.toSorted()).toEqual(OPERATIONS.map(({ name }) => name).toSorted())
  })
})

describe('the catalogue of problems', () => {
  const documented = new Set(
    OPERATIONS.flatMap(({ operation }) => problemCodes(operation).map(({ code }) => code)),
  )

  it('contains only promised problems, with the promised statuses', () => {
    expect(Object.keys(PROBLEMS).length).toBeGreaterThan(10)
    for (const [code, { status }] of Object.entries(PROBLEMS)) {
      expect(PROMISED_PROBLEMS[code], code).toBe(status)
    }
  })

  /** Only requests that no operation documents get these. */
  const UNROUTED = ['not-found']
  /** These are told in event streams, not as problem documents. */
  const IN_STREAMS = ['overloaded']
  /** Only a route that reads a body can answer these. */
  const WITH_A_BODY = ['payload-too-large', 'unsupported-media-type']

  it.each(Object.keys(PROBLEMS))('%s is documented where it can be answered', (code) => {
    const elsewhere = [...UNROUTED, ...IN_STREAMS, ...WITH_A_BODY]
    if (elsewhere.includes(code)) return
    expect(documented).toContain(code)
  })
})
