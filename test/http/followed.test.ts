import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isState, openEvents } from '../helpers/event-connection.ts'
import { eventsPath, startGateway, statusPath } from '../helpers/gateway.ts'
import { fencesIn } from '../helpers/markdown.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

/** What an operator asks most: what is followed now, and why nothing comes. */

const start = async (store = 'memory:') => {
  const gateway = await startGateway({
    lemlist: { rateLimit: UNLIMITED },
    env: { ...FAST, OPS_PORT: '0', STORE_URL: store },
  })
  const ops = `http://127.0.0.1:${gateway.app.opsPort()}`
  const ask = async (query = '') => {
    const answer = await fetch(`${ops}/exports${query}`)
    const body: { total: number; exports: object[] } = JSON.parse(await answer.text())
    return { status: answer.status, body }
  }
  return { ...gateway, ops, ask }
}

describe('the exports that are followed', () => {
  it('are told with their state, their times, their watchers and the last trouble', async () => {
    const { url, lemlist, ask } = await start()
    const early = lemlist.add({ outcome: 'never' })
    const late = lemlist.add({ outcome: 'never' })
    const done = lemlist.add({ durationMs: 0 })
    for (const ref of [early, late, done]) await fetch(url + statusPath(ref))
    const stream = openEvents(url + eventsPath(early))
    onTestFinished(() => void stream.socket.destroy())
    await stream.waitFor(isState('pending'))
    lemlist.script({ exportId: early.exportId }, { status: 503, body: '' })
    await stream.waitFor(({ event }) => event === 'problem')
    const { body } = await ask()
    expect(body.total).toBe(2)
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    const shared = { account: 'default', state: 'pending', firstSeenAt: time, nextLookAt: time }
    expect(body.exports).toEqual([
      {
        ...{ ...shared, campaignId: late.campaignId, exportId: late.exportId },
        ...{ watchersHere: 0, lastTrouble: null },
      },
      {
        ...{ ...shared, campaignId: early.campaignId, exportId: early.exportId },
        ...{ watchersHere: 1, lastTrouble: 'upstream-unavailable' },
      },
    ])
  })

  it('have the fields that docs/operations.md shows', async () => {
    const { url, lemlist, ask } = await start()
    await fetch(url + statusPath(lemlist.add({ outcome: 'never' })))
    const document = new URL('../../docs/operations.md', import.meta.url)
    const [fence] = fencesIn(readFileSync(document, 'utf8')).filter(
      ({ language }) => language === 'json',
    )
    const { exports: shown, ...rest } = JSON.parse(fence?.text ?? '{}')
    const { exports: told, ...others } = (await ask()).body
    expect(Object.keys(shown[0])).toEqual(Object.keys(told[0] ?? {}))
    expect(Object.keys(rest)).toEqual(Object.keys(others))
  })

  it('can be sought by account and state, and by nothing else', async () => {
    const { url, lemlist, ask } = await start()
    await fetch(url + statusPath(lemlist.add({ outcome: 'never' })))
    expect((await ask('?state=pending&account=default')).body.total).toBe(1)
    expect((await ask('?state=done')).body).toEqual({ total: 0, exports: [] })
    expect((await ask('?account=nobody')).body).toEqual({ total: 0, exports: [] })
    for (const query of ['?status=pending', '?state=a&state=b']) {
      expect(await ask(query)).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
    }
  })

  it('are shown to people as a page, in which a strange word is no markup', async () => {
    const { url, lemlist, ops } = await start()
    const ref = lemlist.add()
    lemlist.script({}, { body: JSON.stringify({ ok: true, status: { status: '<b>"new"&' } }) })
    await fetch(url + statusPath(ref))
    const answer = await fetch(`${ops}/`)
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const html = await answer.text()
    expect(html).toContain(`<td>${ref.campaignId}/${ref.exportId}</td>`)
    expect(html).toContain('<td>&#60;b&#62;&#34;new&#34;&#38;</td>')
  })
})
