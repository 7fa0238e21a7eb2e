import { once } from 'node:events'
import { Agent, get as httpGet, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist, type Lemlist } from '../../src/sandbox/lemlist.ts'
import {
  type BalancerOptions,
  findProgram,
  type Program,
  startBalancer,
  startRedisFor,
} from '../helpers/balancers.ts'
import { bareEventSource } from '../helpers/bare-event-source.ts'
import { isState, openEvents } from '../helpers/event-connection.ts'
import {
  eventsPath,
  KEY,
  logLines,
  manyEventsPath,
  startGateway,
  statusPath,
} from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { spawnGateway } from '../helpers/process.ts'

/** Tests the files of `deploy/` with the real programs in front of real gateways. */

const CHANGES = 30
const WATCHERS = 6
/** The pause between the reads of a reader. It leaves the processor to the streams. */
const READ_EVERY_MS = 50
/** The longest delay of an event that the documents promise. */
const SEEN_WITHIN_MS = 200

type Ref = { readonly campaignId: string; readonly exportId: string }

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

interface Ask {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent | false
}

/** Sends a request. Rejects when the answer breaks off or does not come. */
const ask = (url: string, { method = 'GET', headers = {}, agent = false }: Ask = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode, headers } = response
        resolve({ status: statusCode, headers, body: Buffer.concat(chunks) })
      })
    })
    request.on('error', reject)
    request.end()
  })

const startUpstream = async (options: Parameters<typeof createLemlist>[0] = {}) => {
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED, ...options })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  return { lemlist, baseUrl }
}

/** Adds an export that stays pending until the test ends it. */
const endless = (lemlist: Lemlist): Ref => {
  const ref = lemlist.add({ outcome: 'never' })
  lemlist.progress(ref.exportId, 1, 1_000)
  return ref
}

/** Registers the tests of one load balancer. */
export const describeLoadBalancer = (program: Program): void => {
  describe(`${program.name} in front of gateways`, () => {
    const missing = [program.name, 'redis-server'].filter((name) => findProgram(name) === undefined)
    if (missing.length > 0) {
      // On the machine of a developer the tests are skipped visibly. In CI a missing program is a
      // failure, because the tests would prove nothing.
      it.skipIf(process.env.CI !== 'true')(`is not tested without ${missing.join(' and ')}`, () => {
        expect(missing).toEqual([])
      })
      return
    }

    /** Starts one gateway in this process behind the real load balancer. */
    const inFront = async (
      env: Readonly<Record<string, string>> = {},
      { replace = {} }: BalancerOptions = {},
      lemlist: Parameters<typeof createLemlist>[0] = {},
    ) => {
      const gateway = await startGateway({
        env: { ...FAST, ...env },
        lemlist: { rateLimit: UNLIMITED, ...lemlist },
      })
      const balancer = await startBalancer(program, [gateway.url], { replace })
      return { ...gateway, direct: gateway.url, balancer, url: balancer.url }
    }

    it(`shows an event within ${SEEN_WITHIN_MS} ms of lemlist's word, on three replicas that share a Redis`, async () => {
      const { lemlist, baseUrl } = await startUpstream()
      const env = {
        ...FAST,
        LEMLIST_RATE_LIMIT: '2000',
        LEMLIST_API_KEY: KEY,
        LEMLIST_BASE_URL: baseUrl,
        STORE_URL: await startRedisFor(),
        TICKET_SECRET: 'only-for-this-test-only-for-this-test',
      }
      const gateways = await Promise.all([1, 2, 3].map(() => spawnGateway(env)))
      const urls = gateways.map(({ url }) => url)
      const balancer = await startBalancer(program, urls)
      const ref = endless(lemlist)
      const watchers = Array.from({ length: WATCHERS }, () =>
        openEvents(balancer.url + eventsPath(ref)),
      )
      await Promise.all(watchers.map((watcher) => watcher.waitFor(isState('pending'))))

      const delays: number[] = []
      for (let change = 2; change < 2 + CHANGES; change += 1) {
        const changedAt = performance.now()
        lemlist.progress(ref.exportId, change, 1_000)
        const seen = await Promise.all(
          watchers.map((watcher) =>
            watcher.waitFor(({ event, data, at }) => {
              return event === 'status' && at >= changedAt && data.includes(`${change}`)
            }),
          ),
        )
        const told = lemlist.calls.find(({ at }) => at >= changedAt)
        if (told === undefined) throw new Error('an event came though lemlist was not asked')
        delays.push(...seen.map(({ at }) => at - told.at))
      }
      expect(delays).toHaveLength(CHANGES * WATCHERS)
      delays.sort((a, b) => a - b)
      // A load balancer that buffers would hold every event back until the next heartbeat. A busy
      // machine may delay one event in twenty.
      expect(delays[Math.floor(delays.length * 0.95)]).toBeLessThan(SEEN_WITHIN_MS)
    })

    it('keeps a stream open that has heartbeats, and cuts one that has none', async () => {
      // The idle time-outs of the file (90 s) and the heartbeat (15 s) are both 75 times shorter here.
      const replace = { '90s': '1200ms' }
      const { lemlist, url } = await inFront({ SSE_HEARTBEAT_MS: '200' }, { replace })
      const ref = endless(lemlist)
      const stream = openEvents(url + eventsPath(ref))
      let text = ''
      stream.socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
      })
      const beaten = Promise.withResolvers<void>()
      stream.socket.on('data', () => {
        // 18 comments take about three times the time-out. The first one is the head of the stream,
        // the others are heartbeats.
        if (text.split('\n:\n').length > 18) beaten.resolve()
      })
      const mute = await inFront({ SSE_HEARTBEAT_MS: '600000' }, { replace })
      const lonely = openEvents(mute.url + eventsPath(endless(mute.lemlist)))
      await lonely.waitFor(isState('pending'))
      expect(await lonely.ended).toBe('abrupt')
      await Promise.race([
        beaten.promise,
        stream.ended.then(() => expect.unreachable('the stream was cut')),
      ])
      lemlist.finish(ref.exportId)
      await stream.waitFor(({ event }) => event === 'end')
    })

    it('passes a clean end on as a clean one, and an abrupt end as an abrupt one', async () => {
      const { lemlist, url, close } = await inFront()
      const [done, cut] = [endless(lemlist), endless(lemlist)]
      const streams = [done, cut].map((ref) => openEvents(url + eventsPath(ref)))
      await Promise.all(streams.map((stream) => stream.waitFor(isState('pending'))))
      lemlist.finish(done.exportId)
      const [ended, cutOff] = streams
      await ended?.waitFor(({ event }) => event === 'end')
      expect(await ended?.ended).toBe('clean')
      const closed = close()
      expect(await cutOff?.ended).toBe('abrupt')
      expect(cutOff?.retryMs()).toBeLessThanOrEqual(3_000)
      await closed
    })

    it('tells the gateway when a client has left', async () => {
      const { lemlist, url, logs } = await inFront()
      const stream = openEvents(url + eventsPath(endless(lemlist)))
      await stream.waitFor(isState('pending'))
      stream.socket.destroy()
      await expect
        .poll(() => logLines(logs()).find(({ msg }) => msg === 'stream'), { timeout: 5_000 })
        .toMatchObject({ ending: 'left' })
    })

    it('stops an EventSource by the 204 of the gateway once it has been told everything', async () => {
      const { lemlist, url } = await inFront()
      const ref = endless(lemlist)
      const source = bareEventSource(url + eventsPath(ref))
      await source.waitFor(isState('pending'))
      lemlist.finish(ref.exportId)
      expect(await source.stopped).toBe(204)
    })

    it('streams a file while lemlist still sends it, and passes ranges on', async () => {
      const fileBytes = 64 * 1024 * 1024
      const { lemlist, url, direct } = await inFront()
      const ref = lemlist.add({ durationMs: 0, fileBytes })
      const path = statusPath(ref).replace(/status$/, 'file')
      const range = { range: 'bytes=100000-100099' }
      const [part, same] = await Promise.all([
        ask(url + path, { headers: range }),
        ask(direct + path, { headers: range }),
      ])
      expect(part.status).toBe(206)
      expect(part.headers['content-range']).toBe(`bytes 100000-100099/${fileBytes}`)
      expect(part.body).toEqual(same.body)
      expect(part.body).toHaveLength(100)

      expect((await ask(url + path)).body).toHaveLength(fileBytes)

      // lemlist sends 1 000 bytes and then nothing. The load balancer must not hold these bytes back
      // until the rest comes.
      lemlist.script({ operation: 'file' }, { truncateAt: 1_000, hang: true })
      const first = await new Promise<Buffer>((resolve, reject) => {
        const request = httpGet(url + path, { agent: false }, (response) => {
          response.once('data', (chunk: Buffer) => {
            resolve(chunk)
            request.destroy()
          })
        })
        request.on('error', reject)
      })
      expect(first.length).toBeGreaterThan(0)
    })

    it('passes request ids, hosts and long URLs on unchanged, and logs no query', async () => {
      const { lemlist, url, balancer } = await inFront({ PUBLIC_URL: 'https://exports.example' })
      const ref = endless(lemlist)
      const id = 'asked-by-a-test-42'
      const named = await ask(url + statusPath(ref), {
        headers: { 'x-request-id': id, host: 'exports.example' },
      })
      expect(named.status).toBe(200)
      expect(named.headers['x-request-id']).toBe(id)
      const foreign = await ask(url + statusPath(ref), { headers: { host: 'else.example' } })
      // Only the gateway answers 421, so it has seen the host that the caller named.
      expect(foreign.status).toBe(421)

      const long = Array.from({ length: 56 }, (_, index) => ({
        campaignId: `cam_${'c'.repeat(64)}`,
        exportId: `axp_${String(index).padStart(64, '0')}`,
      }))
      const path = manyEventsPath(long)
      expect(path.length).toBeGreaterThan(8_000)
      const stream = openEvents(url + path)
      await stream.waitFor(({ event }) => event === 'gone')
      expect(stream.status()).toBe(200)
      stream.socket.destroy()

      await expect.poll(balancer.output, { timeout: 5_000 }).toContain(id)
      expect(balancer.output()).not.toContain('export=cam_')
    })

    describe('when a gateway is in trouble', () => {
      /**
       * Starts a server that accepts connections and answers that it is ready. It reads every other
       * request and hangs up without an answer.
       */
      const startBroken = async () => {
        const heads: string[] = []
        const sockets = new Set<Socket>()
        const server = createTcpServer((socket) => {
          sockets.add(socket)
          socket.on('error', () => {})
          socket.once('close', () => sockets.delete(socket))
          socket.on('data', (chunk: Buffer) => {
            const head = chunk.toString('latin1')
            if (head.startsWith('GET /health/ready ')) {
              socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
            } else {
              heads.push(head)
              socket.destroy()
            }
          })
        }).listen(0, '127.0.0.1')
        await once(server, 'listening')
        onTestFinished(() => {
          server.close()
          for (const socket of sockets) socket.destroy()
        })
        // A server that listens on TCP always has an address with a port.
        const { port } = server.address() as AddressInfo
        return { url: `http://127.0.0.1:${port}`, heads }
      }

      /**
       * With its file nginx avoids a gateway for 2 s after a failure. Without that, each request has
       * the same chance to meet the broken gateway.
       */
      const patient = program.name === 'nginx' ? { 'max_fails=1': 'max_fails=0' } : {}

      it('asks another one for every read, and sends a start at most once', async () => {
        const broken = await startBroken()
        const gateway = await startGateway({ env: FAST, lemlist: { rateLimit: UNLIMITED } })
        const { lemlist } = gateway
        const balancer = await startBalancer(program, [broken.url, gateway.url], {
          replace: patient,
        })
        const ref = endless(lemlist)
        const agent = new Agent({ keepAlive: true })
        onTestFinished(() => agent.destroy())
        for (let count = 0; count < 20; count += 1) {
          expect(await ask(balancer.url + statusPath(ref), { agent })).toHaveProperty('status', 200)
          const stream = openEvents(balancer.url + eventsPath(ref))
          await stream.waitFor(isState('pending'))
          stream.socket.destroy()
        }
        // The broken gateway must have got some of the reads. Otherwise the test would prove nothing.
        expect(broken.heads.length).toBeGreaterThan(0)

        broken.heads.length = 0
        const started: (number | undefined)[] = []
        const path = `/campaigns/${ref.campaignId}/export/start`
        for (let count = 0; count < 20; count += 1) {
          const answer = await ask(balancer.url + path, { method: 'POST', agent }).catch(
            () => undefined,
          )
          started.push(answer?.status)
        }
        const refused = started.filter((status) => status !== 201)
        expect(refused.length).toBeGreaterThan(0)
        expect(broken.heads.filter((head) => head.startsWith('POST '))).toHaveLength(refused.length)
        const arrived = lemlist.calls.filter(({ path: asked }) => asked.endsWith('/export/start'))
        expect(arrived).toHaveLength(20 - refused.length)
      })

      it('sends a start to another one when one cannot be reached', async () => {
        const gateway = await startGateway({ env: FAST, lemlist: { rateLimit: UNLIMITED } })
        const gone = await startGateway({ env: FAST })
        const urls = [gone.url, gateway.url]
        const balancer = await startBalancer(program, urls, { replace: patient })
        await gone.close()
        const { campaignId } = endless(gateway.lemlist)
        const path = `/campaigns/${campaignId}/export/start`
        for (let count = 0; count < 10; count += 1) {
          expect(await ask(balancer.url + path, { method: 'POST' })).toHaveProperty('status', 201)
        }
      })

      it('hangs up on an EventSource when there is no gateway at all, and answers 502 or 503 to others', async () => {
        const gateway = await startGateway({ env: FAST, lemlist: { rateLimit: UNLIMITED } })
        const balancer = await startBalancer(program, [gateway.url])
        const ref = endless(gateway.lemlist)
        const before = openEvents(balancer.url + eventsPath(ref))
        await before.waitFor(isState('pending'))
        await gateway.close()
        for (const path of [eventsPath(ref), manyEventsPath([ref])]) {
          const stream = openEvents(balancer.url + path)
          expect(await stream.ended).toBe('abrupt')
          expect(stream.status()).toBeUndefined()
        }
        expect([502, 503]).toContain((await ask(balancer.url + statusPath(ref))).status)
      })

      it('drains one without an error for any client', async () => {
        const { lemlist, baseUrl } = await startUpstream()
        const env = {
          ...FAST,
          LEMLIST_API_KEY: KEY,
          LEMLIST_BASE_URL: baseUrl,
          STORE_URL: 'memory:',
          DRAIN_DELAY_MS: '2500',
        }
        const gateways = await Promise.all([1, 2, 3].map(() => spawnGateway(env)))
        const [old] = gateways
        if (old === undefined) throw new Error('there are three')
        const urls = gateways.map(({ url }) => url)
        const balancer = await startBalancer(program, urls)
        const refs = Array.from({ length: 10 }, () => endless(lemlist))
        const sources = Array.from({ length: 9 }, () =>
          refs.map((ref) => bareEventSource(balancer.url + eventsPath(ref))),
        ).flat()
        await Promise.all(sources.map((source) => source.waitFor(isState('pending'))))

        let stopped = false
        const agent = new Agent({ keepAlive: true })
        onTestFinished(() => agent.destroy())
        const readers = refs.map(async (ref, index) => {
          const statuses: (number | undefined)[] = []
          const options = index % 2 === 0 ? { agent } : {}
          while (!stopped) {
            statuses.push((await ask(balancer.url + statusPath(ref), options)).status)
            await delay(READ_EVERY_MS)
          }
          return statuses
        })
        const code = await old.end('SIGTERM')
        expect(code).toBe(0)
        const streamsOf = (output: string) =>
          logLines(output.replace(/^[^{].*$/gm, '')).filter(({ msg }) => msg === 'stream')
        const drained = streamsOf(old.output()).filter(({ ending }) => ending === 'drained')
        expect(drained.length).toBeGreaterThan(0)
        stopped = true
        const statuses = (await Promise.all(readers)).flat()
        expect(statuses.length).toBeGreaterThan(100)
        expect(new Set(statuses)).toEqual(new Set([200]))

        for (const { exportId } of refs) lemlist.finish(exportId)
        const stops = await Promise.all(sources.map((source) => source.stopped))
        expect(new Set(stops)).toEqual(new Set([204]))
        const ways = sources.map((source) => source.statuses.filter((status) => status !== 200))
        expect(new Set(ways.map(String))).toEqual(new Set(['204']))
        // The drained streams have since reconnected to another gateway: 200, 200 and then 204.
        expect(
          sources.filter(({ statuses: all }) => all.length === 3).length,
        ).toBeGreaterThanOrEqual(drained.length)
      })
    })
  })
}
