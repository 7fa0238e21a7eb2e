import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createKey, digestOf } from '../src/access/keys.ts'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { BY_NODE } from './cached-gateway.ts'
import { freePort, inMemory } from './processes.ts'
import { startServer } from './server.ts'
import { PROGRESS_TOTAL, type Pushing } from './streams-turn.ts'

/** The gateway as a side of `streams`: with keys, metrics and a log line, and one export that runs. */

/** How often the gateway asks lemlist, milliseconds. */
const POLL_MS = '1000'
/** So that the status has some 480 bytes. */
const CAMPAIGN_NAME = 'Sandbox campaign '.padEnd(150, 'x')

export const startPushingGateway = async (): Promise<Pushing> => {
  const lemlist = createLemlist({ rateLimit: { calls: 1_000_000_000, windowMs: 2_000 } })
  const { campaignId, exportId } = lemlist.add({ outcome: 'never', campaignName: CAMPAIGN_NAME })
  lemlist.progress(exportId, 0, PROGRESS_TOTAL)
  const key = createKey()
  const directory = mkdtempSync(join(inMemory(), 'bench-streams-'))
  const accessFile = join(directory, 'access.json')
  const callers = { bench: { keys: [digestOf(key)], accounts: ['default'] } }
  writeFileSync(accessFile, JSON.stringify({ callers }))
  // As in a container, nobody who reads the log shares a core with the gateway.
  const log = openSync(join(directory, 'log'), 'w')
  const server = await startServer(
    'gateway.ts',
    {
      ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
      ...{ STORE_URL: 'memory:', LOG_LEVEL: 'info', OPS_PORT: String(await freePort()) },
      ...{ AUTH: 'keys', ACCESS_FILE: accessFile, CALLER_RATE_LIMIT: '1000000000' },
      ...{ SSE_MAX_STREAMS: '20000', SSE_MAX_STREAMS_PER_CALLER: '20000' },
      ...{ POLL_FIRST_MS: POLL_MS, POLL_INTERVAL_MS: POLL_MS, POLL_MAX_INTERVAL_MS: POLL_MS },
      ...{ LEMLIST_RATE_LIMIT: '1000', LEMLIST_RATE_RESERVE: '0' },
    },
    { stdout: log },
  )
  const path = `/campaigns/${campaignId}/export/${exportId}`
  await (await fetch(`${server.url}${path}/status`, { headers: { 'x-api-key': key } })).text()
  return {
    ...server,
    path: `${path}/events`,
    headers: `X-Api-Key: ${key}\r\n`,
    push: async (progress) => {
      const from = lemlist.calls.length
      lemlist.progress(exportId, progress, PROGRESS_TOTAL)
      await lemlist.waitForCalls(from + 1)
      const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now()
      return (lemlist.calls[from]?.at ?? Number.NaN) + offset
    },
    end: async () => {
      await server.end()
      closeSync(log)
      await lemlist.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** What a stream of the gateway begins with: for the peers, which send the same. */
export const helloOf = async ({ url, path, headers }: Pushing) => {
  const [, key = ''] = /X-Api-Key: (\S+)/.exec(headers) ?? []
  const hangUp = new AbortController()
  const answer = await fetch(url + path, { headers: { 'x-api-key': key }, signal: hangUp.signal })
  const reader = answer.body?.getReader()
  const { value } = (await reader?.read()) ?? {}
  hangUp.abort()
  const text = Buffer.from(value ?? []).toString()
  const of = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''
  const own = [...answer.headers].filter(([name]) => !BY_NODE.has(name))
  return { headers: own, event: { id: of('id'), data: of('data') } }
}
