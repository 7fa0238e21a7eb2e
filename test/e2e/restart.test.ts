import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { statusPath } from '../helpers/gateway.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'
import { doneBody, pendingBody, REF } from '../helpers/status-bodies.ts'

const start = async () => {
  const lemlist = createLemlist({ apiKeys: ['restart-key'] })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const env = {
    LEMLIST_API_KEY: 'restart-key',
    LEMLIST_BASE_URL: baseUrl,
    STORE_URL: `sqlite:${join(tempDirectory(), 'gateway.sqlite')}`,
  }
  return { lemlist, gateway: () => spawnGateway(env) }
}

const read = async ({ url }: { url: string }) => {
  const response = await fetch(url + statusPath(REF))
  return { status: response.status, headers: response.headers, text: await response.text() }
}

describe('a gateway that is killed', () => {
  it('answers from its store when it is back: 0 calls for an export that ended lately', async () => {
    const { lemlist, gateway } = await start()
    const body = doneBody()
    lemlist.script({}, { body })
    const before = await gateway()
    const first = await read(before)
    expect([first.status, first.text]).toEqual([200, body])
    expect(lemlist.calls).toHaveLength(1)
    expect(await before.end('SIGKILL')).toBe('SIGKILL')

    lemlist.clearCalls()
    lemlist.script({}, { body: pendingBody() })
    const after = await gateway()
    for (let round = 0; round < 3; round += 1) {
      const again = await read(after)
      expect([again.status, again.text]).toEqual([200, body])
      expect(again.headers.get('etag')).toBe(first.headers.get('etag'))
      expect(again.headers.get('cache-status')).toMatch(/^lemlist-gateway; hit; ttl=\d+$/)
    }
    expect(lemlist.calls).toEqual([])
  })

  it('answers from its store though lemlist is gone', async () => {
    const { lemlist, gateway } = await start()
    const body = doneBody()
    lemlist.script({}, { body })
    const before = await gateway()
    await read(before)
    await before.end('SIGKILL')
    await lemlist.close()
    expect((await read(await gateway())).text).toBe(body)
  })

  it('does not take what was pending for an answer', async () => {
    const { lemlist, gateway } = await start()
    lemlist.script({}, { body: pendingBody() })
    const before = await gateway()
    await read(before)
    await before.end('SIGKILL')
    lemlist.script({}, { status: 500 })
    expect((await read(await gateway())).status).toBe(503)
  })

  it('is asked by SIGTERM instead stops with 0', async () => {
    const { gateway } = await start()
    expect(await (await gateway()).end('SIGTERM')).toBe(0)
  })
})
