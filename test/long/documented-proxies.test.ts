import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findProgram, type Startable, startWith } from '../helpers/balancers.ts'
import { isState, openEvents } from '../helpers/event-connection.ts'
import { eventsPath, logLines, startGateway, statusPath } from '../helpers/gateway.ts'
import { fencesIn } from '../helpers/markdown.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

/** The lines that docs/operations.md shows for Caddy, Apache and Varnish, in these programs. */

const OPERATIONS = new URL('../../docs/operations.md', import.meta.url)
const shown = (language: string): string => {
  const [fence, ...others] = fencesIn(readFileSync(OPERATIONS, 'utf8')).filter(
    (each) => each.language === language,
  )
  if (fence === undefined || others.length > 0) throw new Error(`not one ${language} fence`)
  return fence.text
}

interface Proxy extends Startable {
  /** The configuration of the document with this gateway, on this port. */
  configure(gateway: string, port: number, logFile: string): string
  /** How the program passes on that the gateway has cut a stream. */
  readonly cut: 'clean' | 'abrupt'
  /** The status of a stream when there is no gateway; `undefined`: it closes the connection. */
  readonly statusWithoutGateway: number | undefined
  /** Whether only a heartbeat lets the program notice that a client has left. */
  readonly noticesByHeartbeat: boolean
}

const CADDY: Proxy = {
  name: 'caddy',
  file: 'Caddyfile',
  argv: (config) => ['run', '--adapter', 'caddyfile', '--config', config],
  env: (directory) => ({ XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory }),
  configure: (gateway, port) =>
    // Without a grace period Caddy waits for open streams when it stops.
    '{\nadmin off\ndefault_bind 127.0.0.1\ngrace_period 100ms\n}\n' +
    shown('caddy').replace('gw.example.com', `http://:${port}`).replace('gateway:8080', gateway),
  cut: 'clean',
  statusWithoutGateway: undefined,
  noticesByHeartbeat: false,
}

const APACHE_MODULES = ['mpm_event', 'authz_core', 'proxy', 'proxy_http']

const APACHE: Proxy = {
  name: 'apache2',
  file: 'apache.conf',
  argv: (config) => ['-f', config, '-DFOREGROUND'],
  configure: (gateway, port, logFile) =>
    [
      'ServerRoot /usr/lib/apache2',
      ...APACHE_MODULES.map((name) => `LoadModule ${name}_module modules/mod_${name}.so`),
      // Apache must not serve as root, and only root can choose another user.
      ...(process.getuid?.() === 0 ? ['User www-data', 'Group www-data'] : []),
      `PidFile ${dirname(logFile)}/pid`,
      `DefaultRuntimeDir ${dirname(logFile)}`,
      `ErrorLog ${logFile}`,
      'ServerName localhost',
      `Listen 127.0.0.1:${port}`,
      shown('apache').replace('gateway:8080', gateway),
    ].join('\n'),
  cut: 'abrupt',
  statusWithoutGateway: 503,
  noticesByHeartbeat: true,
}

const PORT_OF_VARNISH = /^# port (\d+)$/m

const VARNISH: Proxy = {
  name: 'varnishd',
  file: 'varnish.vcl',
  argv: (config, directory) => {
    // VCL cannot say where Varnish listens. A comment in the file tells it to this function.
    const [, port] = PORT_OF_VARNISH.exec(readFileSync(config, 'utf8')) ?? []
    const settings = ['-F', '-j', 'none', '-n', directory, '-s', 'malloc,16m']
    return [...settings, '-a', `127.0.0.1:${port}`, '-f', config]
  },
  configure: (gateway, port) => {
    const { hostname, port: gatewayPort } = new URL(`http://${gateway}`)
    const text = shown('vcl').replace('"gateway"', `"${hostname}"`)
    return `${text.replace('"8080"', `"${gatewayPort}"`)}\n# port ${port}\n`
  },
  cut: 'abrupt',
  statusWithoutGateway: undefined,
  noticesByHeartbeat: false,
}

const startBehind = async (proxy: Proxy, env: Readonly<Record<string, string>> = {}) => {
  const gateway = await startGateway({
    env: { ...FAST, ...env },
    lemlist: { rateLimit: UNLIMITED },
  })
  const { host } = new URL(gateway.url)
  const { url } = await startWith(proxy, (port, logFile) => proxy.configure(host, port, logFile))
  const pending = gateway.lemlist.add({ outcome: 'never' })
  // Its progress stands still. Otherwise its events would let a program notice that a client has left.
  gateway.lemlist.progress(pending.exportId, 1, 1_000)
  return { ...gateway, url, pending }
}

describe.each([CADDY, APACHE, VARNISH])('$name as docs/operations.md sets it up', (proxy) => {
  const missing = findProgram(proxy.name) === undefined
  if (missing) {
    // On a machine of one's own this is a visible skip; where the word of the tests counts, it is a failure.
    it.skipIf(process.env.CI !== 'true')(`is not tried without ${proxy.name}`, () => {
      expect(findProgram(proxy.name)).toBeDefined()
    })
    return
  }

  it('passes on a status, its 304 and a part of a file', async () => {
    const { lemlist, url } = await startBehind(proxy)
    const done = lemlist.add({ durationMs: 0, fileBytes: 5_000 })
    const status = await fetch(url + statusPath(done))
    const headers = { 'if-none-match': status.headers.get('etag') ?? '' }
    const same = await fetch(url + statusPath(done), { headers })
    expect([status.status, same.status]).toEqual([200, 304])
    const file = await fetch(url + statusPath(done).replace(/status$/, 'file'), {
      headers: { range: 'bytes=100-199' },
    })
    expect([file.status, (await file.arrayBuffer()).byteLength]).toEqual([206, 100])
  })

  it('lets a page of its own address start an export', async () => {
    const { url, pending } = await startBehind(proxy)
    const answer = await fetch(`${url}/campaigns/${pending.campaignId}/export/start`, {
      method: 'POST',
      headers: { origin: url },
    })
    expect(answer.status).toBe(201)
  })

  it('holds a read for the preferred time, and lets others pass', async () => {
    const { url, lemlist, pending } = await startBehind(proxy)
    const held = fetch(url + statusPath(pending), { headers: { prefer: 'wait=30' } })
    const other = await fetch(url + statusPath(pending))
    expect(await other.json()).toMatchObject({ status: { status: 'pending' } })
    lemlist.finish(pending.exportId)
    const answer = await held
    expect(answer.headers.get('preference-applied')).toBe('wait=30')
    expect(await answer.json()).toMatchObject({ status: { status: 'done' } })
  })

  it('passes each event and heartbeat on at once, and the end as a clean one', async () => {
    const { url, lemlist, pending } = await startBehind(proxy, { SSE_HEARTBEAT_MS: '100' })
    const stream = openEvents(url + eventsPath(pending))
    await stream.waitFor(isState('pending'))
    await stream.until(() => stream.text().split('\n:\n').length > 4)
    lemlist.finish(pending.exportId)
    await stream.waitFor(({ event }) => event === 'end')
    expect(await stream.ended).toBe('clean')
  })

  it(`makes ${proxy.cut === 'clean' ? 'a clean' : 'an abrupt'} end of a stream that the gateway cuts`, async () => {
    const { url, pending } = await startBehind(proxy, { SSE_MAX_AGE_MS: '500' })
    const stream = openEvents(url + eventsPath(pending))
    await stream.waitFor(isState('pending'))
    expect(await stream.ended).toBe(proxy.cut)
  })

  it(`tells the gateway that a client has left${proxy.noticesByHeartbeat ? ', at a heartbeat' : ''}`, async () => {
    const env = proxy.noticesByHeartbeat ? { SSE_HEARTBEAT_MS: '200' } : {}
    const { url, logs, pending } = await startBehind(proxy, env)
    const stream = openEvents(url + eventsPath(pending))
    await stream.waitFor(isState('pending'))
    stream.socket.destroy()
    await expect
      .poll(() => logLines(logs()).find(({ msg }) => msg === 'stream'), { timeout: 5_000 })
      .toMatchObject({ ending: 'left' })
  })

  it(`${proxy.statusWithoutGateway === undefined ? 'hangs up on a stream' : `answers a stream with ${proxy.statusWithoutGateway}`} when there is no gateway`, async () => {
    const { url, close, pending } = await startBehind(proxy)
    await close()
    const stream = openEvents(url + eventsPath(pending))
    await stream.ended
    expect(stream.status()).toBe(proxy.statusWithoutGateway)
  })
})
