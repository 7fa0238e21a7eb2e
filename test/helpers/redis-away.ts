import { get as httpGet } from 'node:http'
import { performance } from 'node:perf_hooks'
import { expect, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { type EventConnection, openEvents } from './event-connection.ts'
import { eventsPath } from './gateway.ts'
import { UNLIMITED } from './pace.ts'
import { type GatewayProcess, spawnGateway } from './process.ts'
import { startRedis } from './redis.ts'
import type { BareClient } from './redis-store.ts'
import { findSecret } from './secret-search.ts'

/** The lemlist key and the password of Redis, which no log may hold. */
const KEY = 'canary-key-4e1f9a7c3b5d'
export const PASSWORD = 'canary-password-8d2c6f0b1a'
export const LIMIT = 20
export const CALLS = 16
/** lemlist's is twice as long. */
export const WINDOW_MS = 1_000
/** Within 5 s a gateway is ready again. A busy machine may take longer. */
export const RECOVERY_MS = 10_000
const INTERVAL_MS = 500

export type Ref = { readonly campaignId: string; readonly exportId: string }

export interface Read {
  readonly status: number
  readonly code: string | undefined
  readonly ms: number
  readonly at: number
}

export const read = (gateway: GatewayProcess, path: string) =>
  new Promise<Read & { text: string }>((resolve, reject) => {
    const at = performance.now()
    const request = httpGet(gateway.url + path, { agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.on('error', reject)
      response.on('end', () => {
        const ms = performance.now() - at
        const { code } = JSON.parse(text)
        resolve({ status: response.statusCode ?? 0, code, ms, at, text })
      })
    })
    request.on('error', reject)
  })

/** Gateways on one Redis with a password, which a test may take away from them. */
export const start = async (replicas: number) => {
  const args = ['--requirepass', PASSWORD]
  let redis = await startRedis({ args })
  const { port } = redis
  const storeUrl = `redis://:${PASSWORD}@127.0.0.1:${port}`
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const spawn = () =>
    spawnGateway({
      LEMLIST_API_KEY: KEY,
      LEMLIST_BASE_URL: baseUrl,
      STORE_URL: storeUrl,
      LEMLIST_RATE_WINDOW_MS: String(WINDOW_MS),
      // A claim that Redis kept while it was away is free again 5 s after this.
      LEMLIST_TIMEOUT_MS: '3000',
      POLL_FIRST_MS: '300',
      POLL_INTERVAL_MS: `${INTERVAL_MS}`,
      POLL_MAX_INTERVAL_MS: `${INTERVAL_MS}`,
      SSE_HEARTBEAT_MS: '1000',
      DOCS: 'false',
    })
  const gateways = await Promise.all(Array.from({ length: replicas }, spawn))
  const pending = (): Ref => {
    const ref = lemlist.add({ outcome: 'never' })
    lemlist.progress(ref.exportId, 1, 2)
    return ref
  }
  const watch = (gateway: GatewayProcess, ref: Ref): EventConnection => {
    const stream = openEvents(gateway.url + eventsPath(ref))
    onTestFinished(() => void stream.socket.destroy())
    return stream
  }
  const readiness = async (gateway: GatewayProcess) => {
    const { status, text } = await read(gateway, '/health/ready')
    return `${status} ${JSON.parse(text).status}`
  }
  const all = (state: string, timeout = RECOVERY_MS) =>
    expect
      .poll(() => Promise.all(gateways.map(readiness)), { timeout, interval: 50 })
      .toEqual(gateways.map(() => `200 ${state}`))
  const restart = async (): Promise<void> => {
    redis = await startRedis({ port, args })
  }
  const noSecrets = () => {
    const said = gateways.map(({ output }) => output()).join('\n')
    expect(said).toContain('Redis is away')
    expect(findSecret(said, KEY)).toEqual([])
    expect(findSecret(said, PASSWORD)).toEqual([])
  }
  return {
    lemlist,
    gateways,
    storeUrl,
    pending,
    watch,
    all,
    restart,
    noSecrets,
    spawn,
    redis: () => redis,
  }
}
export type Fleet = Awaited<ReturnType<typeof start>>

export const configure = (client: BareClient, name: string, value: string) =>
  client.sendCommand(['CONFIG', 'SET', name, value])
