import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { digestOf } from '../../../src/access/keys.ts'
import { inspectAccessFile } from '../../../src/access/read-access-file.ts'
import { createApp } from '../../../src/app.ts'
import { loadConfig } from '../../../src/config/config.ts'
import { createLemlist } from '../../../src/sandbox/lemlist.ts'
import { readSources } from '../../../src/sources.ts'
import { KEYS } from '../../helpers/callers.ts'
import { leaksIn } from '../../helpers/canaries.ts'
import { startConnectProxy } from '../../helpers/connect-proxy.ts'
import { memoryLogger, statusPath } from '../../helpers/gateway.ts'
import { tempDirectory } from '../../helpers/process.ts'

const SECRETS = {
  lemlistKey: 'canary-lemlist~7f3a9b1e?5d>0c4f8e2b',
  proxyPassword: 'canary/proxy~"c4f8e2b6a9d1',
  redisPassword: 'canary/redis@9b1e5d0c4f8e',
  ticketSecret: 'canary"ticket\\secret~5d0c4f8e2b6a9d1c',
}

const everything = (value: unknown): string =>
  inspect(value, {
    ...{ depth: Infinity, showHidden: true, getters: false },
    ...{ maxArrayLength: null, maxStringLength: null },
  })

describe('whoever prints an object of the gateway', () => {
  it('sees no secret, at any depth', async () => {
    const lemlist = createLemlist({ apiKeys: [SECRETS.lemlistKey] })
    onTestFinished(() => lemlist.close())
    const baseUrl = await lemlist.listen()
    const ref = { campaignId: 'cam_Printed', exportId: 'axp_Printed' }
    lemlist.add({ ...ref, durationMs: 0 })
    const proxy = await startConnectProxy({ credentials: `user:${SECRETS.proxyPassword}` })
    const path = join(tempDirectory(), 'access.json')
    const crm = { keys: [digestOf(KEYS.crm)], accounts: ['sales'] }
    const accounts = { sales: { apiKey: SECRETS.lemlistKey } }
    writeFileSync(path, JSON.stringify({ accounts, callers: { crm } }))
    const password = encodeURIComponent(SECRETS.proxyPassword)
    const env = {
      ...{ AUTH: 'keys', ACCESS_FILE: path, TICKET_SECRET: SECRETS.ticketSecret, PORT: '0' },
      HTTP_PROXY: `http://user:${password}@${new URL(proxy.url).host}`,
      LEMLIST_BASE_URL: baseUrl,
    }
    const redisUrl = `redis://:${encodeURIComponent(SECRETS.redisPassword)}@127.0.0.1`
    const withRedis = loadConfig({ ...env, STORE_URL: redisUrl }, inspectAccessFile)
    const config = loadConfig({ ...env, STORE_URL: 'memory:' }, inspectAccessFile)
    const app = await createApp({ config, logger: memoryLogger().logger })
    onTestFinished(() => app.close())
    const url = await app.listen()
    // The key of the caller, the lemlist key and the password of the proxy have been used.
    const headers = { 'X-Api-Key': KEYS.crm }
    expect((await fetch(url + statusPath(ref), { headers })).status).toBe(200)
    expect(proxy.asked).toHaveLength(1)

    const seen = Object.entries({ withRedis, config, app, sources: readSources(config) }).map(
      ([of, value]) => ({ of, bytes: `${everything(value)}\n${JSON.stringify(value) ?? ''}` }),
    )
    for (const { of, bytes } of seen) expect(bytes.length, of).toBeGreaterThan(100)
    expect(leaksIn(seen, { ...SECRETS, callerKey: KEYS.crm })).toEqual([])
  })
})
