import { describe, expect, it } from 'vitest'
import { type ConfigError, loadConfig } from '../../../src/config/config.ts'
import { download, filePath } from '../../helpers/downloads.ts'
import { isState, openEvents } from '../../helpers/event-connection.ts'
import { BOUNDLESS } from '../../helpers/faults.ts'
import { eventsPath, manyEventsPath, startGateway, statusPath } from '../../helpers/gateway.ts'
import { UNLIMITED } from '../../helpers/pace.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'

/** `FILE_URLS` says whether `status.url` is lemlist's link or the gateway's. */

const PUBLIC = 'https://exports.example.com'
const OURS = `${PUBLIC}${filePath()}`
const THEIRS = `https://api.lemlist.com/api/files/exports/fil_${REF.exportId}_scripted.csv`

const start = async (body: string, env: Readonly<Record<string, string>> = {}) => {
  const gateway = await startGateway({
    env: { ...BOUNDLESS, FILE_URLS: 'gateway', PUBLIC_URL: PUBLIC, ...env },
    lemlist: { rateLimit: UNLIMITED },
  })
  gateway.lemlist.script({ operation: 'status' }, { body })
  const read = async (headers: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(gateway.url + statusPath(REF), { headers })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
  return { ...gateway, read }
}

describe('with FILE_URLS=gateway', () => {
  it('a status shows the gateway’s own link, and nothing else has changed', async () => {
    const body = doneBody()
    const { read } = await start(body)
    const { text, headers } = await read()
    expect(text).toBe(body.replace(THEIRS, OURS))
    expect(headers.get('content-length')).toBe(String(Buffer.byteLength(text)))
    expect(JSON.stringify([...headers])).not.toContain('lemlist.com')
  })

  it('a public URL may end in a slash and have a port', async () => {
    const { read } = await start(doneBody(), { PUBLIC_URL: 'http://gateway.test:8443/' })
    const { url } = JSON.parse((await read()).text).status
    expect(url).toBe(`http://gateway.test:8443${filePath()}`)
  })

  it('events of one export and of many show that link, too', async () => {
    const { url } = await start(doneBody())
    for (const path of [eventsPath(REF), manyEventsPath([REF])]) {
      const stream = openEvents(url + path)
      await stream.waitFor(isState('done'))
      await stream.ended
      const told = JSON.stringify(stream.events)
      expect(told).toContain(OURS)
      expect(told).not.toContain('/files/exports/')
    }
  })

  it('lemlist’s link is replaced wherever the status repeats it', async () => {
    const body = doneBody({
      email: { links: [THEIRS], text: `Your file: ${THEIRS}, for a day` },
      'a key': { url: THEIRS },
    })
    const { read } = await start(body)
    expect((await read()).text).toBe(body.replaceAll(THEIRS, OURS))
  })

  // Regression: when `url` was no link but a word, every equal word was replaced, even the state.
  it.each(['done', '', 'Scripted'])(
    'a link that is the word %j changes no other word',
    async (url) => {
      const { read } = await start(doneBody({ url }))
      const { status } = JSON.parse((await read()).text)
      expect(status).toMatchObject({ status: 'done', campaignName: 'Scripted', url: OURS })
    },
  )

  it.each([[['https://api.lemlist.com/a']], [{ href: THEIRS }], [7]])(
    'a link that is %j is replaced as well',
    async (url) => {
      const { read } = await start(doneBody({ url }))
      expect(JSON.parse((await read()).text).status.url).toBe(OURS)
    },
  )

  it('numbers keep their digits', async () => {
    const numbers = '"a":12345678901234567890,"b":1.10,"c":1e400,"d":-0,"e":[0.1e-7]'
    const body = doneBody().replace('"ok":true', `"ok":true,${numbers}`)
    const { read } = await start(body)
    expect((await read()).text).toBe(body.replace(THEIRS, OURS))
  })

  it('keys that mean something to JavaScript are treated like others', async () => {
    const odd = '"__proto__":{"url":1},"constructor":"x","toString":null'
    const body = doneBody().replace('"ok":true', `"ok":true,${odd}`)
    const { read } = await start(body)
    expect((await read()).text).toBe(body.replace(THEIRS, OURS))
  })

  it.each([
    ['pending', pendingBody()],
    ['failed', statusBody('error')],
    ['done without a link', doneBody({ url: null })],
  ])('a status that is %s has no link, and is lemlist’s byte for byte', async (_, body) => {
    const spaced = body.replace('{', '{ \n')
    const { read } = await start(spaced)
    expect((await read()).text).toBe(spaced)
  })

  it('the ETag differs from that of lemlist’s bytes, and from that with another public URL', async () => {
    const body = doneBody()
    const tags = new Set<string | null>()
    for (const env of [
      {},
      { PUBLIC_URL: 'https://elsewhere.example.com' },
      { FILE_URLS: 'upstream' },
    ]) {
      const { read } = await start(body, env)
      const etag = (await read()).headers.get('etag') ?? ''
      expect(etag).toMatch(/^"[\w.-]+"$/)
      expect((await read({ 'if-none-match': etag })).status).toBe(304)
      tags.add(etag)
    }
    expect(tags.size).toBe(3)
  })

  it('the file is still fetched from lemlist', async () => {
    const gateway = await start(doneBody())
    const csv = { headers: { 'Content-Type': 'text/csv' }, body: 'a,b\n' }
    gateway.lemlist.script({ operation: 'file' }, csv)
    expect((await download(gateway)).text).toBe('a,b\n')
  })
})

describe('by default', () => {
  it.each([[{}], [{ FILE_URLS: 'upstream' }]])(
    'a status is lemlist’s, byte for byte',
    async (env) => {
      const body = doneBody().replace('{', '{\t').replace('":', '" : ')
      const gateway = await startGateway({ env: { ...BOUNDLESS, PUBLIC_URL: PUBLIC, ...env } })
      gateway.lemlist.script({ operation: 'status' }, { body })
      const answer = await fetch(gateway.url + statusPath(REF))
      expect(await answer.text()).toBe(body)
    },
  )
})

describe('the configuration', () => {
  const faultsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
    try {
      loadConfig({ LEMLIST_API_KEY: 'key', ...env })
      return []
    } catch (error) {
      // `loadConfig` throws no other error.
      return (error as ConfigError).faults
    }
  }

  it('of gateway links needs a public URL', () => {
    expect(faultsOf({ FILE_URLS: 'gateway' })).toEqual([
      'PUBLIC_URL: is required with FILE_URLS=gateway',
    ])
    expect(faultsOf({ FILE_URLS: 'gateway', PUBLIC_URL: PUBLIC })).toEqual([])
    expect(faultsOf({ FILE_URLS: 'upstream' })).toEqual([])
  })

  it('allows two kinds of links', () => {
    expect(faultsOf({ FILE_URLS: 'both' })).toEqual(['FILE_URLS: must be upstream or gateway'])
  })
})
