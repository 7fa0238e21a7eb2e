import { describe, expect, it } from 'vitest'
import { startProgram } from '../helpers/program.ts'

/** Which packages a start loads: each costs time, and a start is needed at the worst moment. */

/** Runs in the process before anything else. At the end it tells the packages that were loaded. */
const TELL = `
  import { registerHooks } from 'node:module'
  const seen = new Set()
  registerHooks({
    load(url, context, next) {
      const [, name] = /node_modules[/]((?:@[^/]+[/])?[^/]+)/.exec(url) ?? []
      if (name) seen.add(name)
      return next(url, context)
    },
  })
  process.on('exit', () => console.error('loaded', ...seen))
`
const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(TELL)}`

const loadedBy = (err: string): string[] => /^loaded (.*)$/m.exec(err)?.[1]?.split(' ') ?? []

describe('a gateway', () => {
  // Regression: a configuration that was refused had loaded the server and every store before.
  it('that checks its configuration loads no server, no client of lemlist and no store', async () => {
    const env = { LEMLIST_API_KEY: 'a-key', NODE_OPTIONS }
    const program = startProgram('main.ts', { env, args: ['--check-config'] })
    expect(await program.ended).toBe(0)
    const loaded = loadedBy(program.err())
    expect(loaded).toContain('zod')
    for (const name of ['fastify', 'undici', '@redis/client']) expect(loaded).not.toContain(name)
  })

  // Regression: the 480 files of that package cost each start a sixth of its time.
  it('without Redis, metrics and traces loads none of their packages', async () => {
    const env = { LEMLIST_API_KEY: 'a-key', STORE_URL: 'memory:', PORT: '0', NODE_OPTIONS }
    const program = startProgram('main.ts', { env })
    await program.says(/"msg":"listening"/)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
    const loaded = loadedBy(program.err())
    expect(loaded).toContain('fastify')
    expect(loaded).not.toContain('@redis/client')
    expect(loaded.filter((name) => /^@(prometheus-io|opentelemetry)/.test(name))).toEqual([])
  })
})
