import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { digestOf } from '../../src/access/keys.ts'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { bearer, send, ticketOf } from '../helpers/access-gateway.ts'
import { KEYS } from '../helpers/callers.ts'
import { eventsPath, logLines, statusPath } from '../helpers/gateway.ts'
import { expectProblem } from '../helpers/problem.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'

const PENDING = { campaignId: 'cam_A1', exportId: 'axp_A1' }
const LEMLIST_KEYS = { old: 'lemlist-key-old', next: 'lemlist-key-next' }

/** A real gateway, whose files a test rewrites before it sends SIGHUP. */
const setUp = async () => {
  const lemlist = createLemlist({
    apiKeys: Object.values(LEMLIST_KEYS),
    exports: [{ ...PENDING, apiKey: LEMLIST_KEYS.old, durationMs: 3_600_000 }],
  })
  onTestFinished(() => lemlist.close())
  const directory = tempDirectory()
  const at = (name: string) => join(directory, name)
  const write = {
    access: (callers: unknown) =>
      writeFileSync(
        at('access.json'),
        JSON.stringify({ accounts: { sales: { apiKeyFile: at('sales') } }, callers }),
      ),
    text: (text: string) => writeFileSync(at('access.json'), text),
    key: (key: string) => writeFileSync(at('sales'), `${key}\n`),
    secret: (secret: string) => writeFileSync(at('secret'), secret),
  }
  const callerOf = (...keys: readonly string[]) => ({
    keys: keys.map(digestOf),
    accounts: ['sales'],
  })
  write.key(LEMLIST_KEYS.old)
  write.secret('a-secret-of-tickets-that-has-32-bytes')
  write.access({ crm: callerOf(KEYS.crm), bi: callerOf(KEYS.bi) })
  const gateway = await spawnGateway({
    ...{ AUTH: 'keys', ACCESS_FILE: at('access.json'), TICKET_SECRET_FILE: at('secret') },
    ...{ LEMLIST_BASE_URL: await lemlist.listen(), STORE_URL: 'memory:' },
  })
  const lines = () => logLines(gateway.output())
  /** Sends SIGHUP and waits for what the log says of it. */
  const hangUp = async () => {
    const isAbout = ({ action, msg }: Record<string, unknown>) =>
      action === 'reload' || String(msg).startsWith('the files could not be read')
    const before = lines().filter(isAbout).length
    gateway.child.kill('SIGHUP')
    await expect.poll(() => lines().filter(isAbout), { timeout: 10_000 }).toHaveLength(before + 1)
    return lines().filter(isAbout).at(-1)
  }
  const read = (key: string) => send(gateway, statusPath(PENDING), { headers: [bearer(key)] })
  return { gateway, lemlist, write, callerOf, hangUp, read }
}

describe('a gateway that gets SIGHUP', () => {
  it('uses a new lemlist key for the next call, and the second key of a caller', async () => {
    const { lemlist, write, callerOf, hangUp, read } = await setUp()
    expect((await read(KEYS.crm)).status).toBe(200)
    expectProblem(await read(KEYS.spare), 'unauthenticated')
    write.key(LEMLIST_KEYS.next)
    write.access({ crm: callerOf(KEYS.crm, KEYS.spare), bi: callerOf(KEYS.bi) })
    expect(await hangUp()).toMatchObject({
      ...{ msg: 'audit', action: 'reload', result: 'ok' },
      changes: ['account sales: key changed', 'caller crm: keys changed'],
    })
    // The new lemlist key belongs to another team, which has no such campaign.
    for (const key of [KEYS.crm, KEYS.spare]) {
      expectProblem(await read(key), 'campaign-not-found')
    }
    const sent = lemlist.calls.map(({ authorization = '' }) => atob(authorization.slice(6)))
    expect(new Set(sent)).toEqual(new Set([`:${LEMLIST_KEYS.old}`, `:${LEMLIST_KEYS.next}`]))
    expect(sent.at(-1)).toBe(`:${LEMLIST_KEYS.next}`)
  })

  it('keeps what it has when a file is faulty, and says where the fault is without a value', async () => {
    const { gateway, write, callerOf, hangUp, read } = await setUp()
    write.text('{"callers": {"crm": {"keys": ["canary-in-the-file"], "accounts": ["sales"]}}}')
    const line = await hangUp()
    expect(line?.level).toBe(50)
    expect(JSON.stringify(line)).toContain('callers.crm.keys.0')
    expect((await read(KEYS.bi)).status).toBe(200)
    write.text('{')
    expect(JSON.stringify(await hangUp())).toContain('is not JSON')
    write.access({ crm: callerOf(KEYS.crm) })
    write.key('two words')
    expect(JSON.stringify(await hangUp())).toContain('accounts.sales.apiKeyFile')
    expect((await read(KEYS.bi)).status).toBe(200)
    expect(gateway.output()).not.toContain('canary-in-the-file')
    expect(gateway.output()).not.toContain('two words')
  })

  it('takes no ticket of a caller who is gone, nor one of the secret of before', async () => {
    const { gateway, write, callerOf, hangUp } = await setUp()
    const ticketBy = (key: string) => ticketOf(gateway, key, { campaigns: ['cam_A1'] })
    const path = statusPath(PENDING)
    const [ofCrm, ofBi] = [await ticketBy(KEYS.crm), await ticketBy(KEYS.bi)]
    write.access({ bi: callerOf(KEYS.bi) })
    expect(await hangUp()).toMatchObject({ changes: ['caller crm: removed'] })
    expectProblem(await send(gateway, path, { headers: [bearer(ofCrm)] }), 'unauthenticated')
    expect((await send(gateway, path, { headers: [bearer(ofBi)] })).status).toBe(200)
    write.secret('another-secret-of-tickets-with-32-bytes')
    expect(await hangUp()).toMatchObject({ changes: ['ticket secret: changed'] })
    const refused = await send(gateway, `${eventsPath(PENDING)}?ticket=${ofBi}`)
    expectProblem(refused, 'unauthenticated')
    const next = await ticketBy(KEYS.bi)
    expect((await send(gateway, path, { headers: [bearer(next)] })).status).toBe(200)
    for (const secret of [ofCrm, ofBi, next, KEYS.bi]) {
      expect(gateway.output()).not.toContain(secret)
    }
  })
})
