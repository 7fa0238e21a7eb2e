import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { addEnvFile } from '../../../src/config/env-file.ts'
import * as forms from '../../../src/config/forms.ts'
import { wayTo } from '../../../src/config/proxy.ts'
import { nearly, outcomeOf } from '../../helpers/near-misses.ts'

/** Whatever an operator writes, it is taken or refused with a fault. It never ends in a bug. */

const RUNS = { numRuns: 1_000 }
const URLS = ['https://a.example.com:8443/b/', 'http://127.0.0.1', 'http://[::1]:80/', 'https:a//']

const { origins, publicUrl, baseUrl, jwksUrl, listeningHost, ticketSecret, key, word } = forms
const schemas = { origins, publicUrl, baseUrl, jwksUrl, listeningHost, ticketSecret, key, word }

describe('the form of a variable:', () => {
  it.each(Object.entries({ ...schemas, auth: forms.auth, whole: forms.whole(1, 9) }))(
    '%s takes or refuses any text, and throws nothing',
    (_, schema) => {
      fc.assert(
        fc.property(
          nearly(...URLS, 'https://a.example,http://b.example', 'keys,jwt', '5'),
          (text) => {
            const { success, error } = schema.safeParse(text)
            if (!success) expect(error.issues.length).toBeGreaterThan(0)
          },
        ),
        RUNS,
      )
    },
  )

  it('PUBLIC_URL is an http or https URL without user, query, fragment or a slash at the end', () => {
    fc.assert(
      fc.property(nearly(...URLS), (text) => {
        const { success, data } = publicUrl.safeParse(text)
        if (!success) return
        expect(data.protocol).toMatch(/^https?:$/)
        expect([data.username, data.password, data.search, data.hash].join('')).toBe('')
        expect(publicUrl.parse(data.href).href).toBe(data.href)
      }),
      RUNS,
    )
  })

  it('each of CORS_ORIGINS is an origin as browsers send it', () => {
    fc.assert(
      fc.property(nearly('https://a.example', 'http://b.example:81, https://c.example'), (text) => {
        const { success, data } = origins.safeParse(text)
        if (success) for (const one of data) expect(new URL(one).origin).toBe(one)
      }),
      RUNS,
    )
  })

  it('any text is a Redis URL or none', () => {
    fc.assert(
      fc.property(nearly('redis://u:p@h:6379/0', 'rediss://:%20@h', 'redis://h/a'), (text) => {
        if (forms.isRedisUrl(text)) expect(new URL(text).hostname).not.toBe('')
      }),
      RUNS,
    )
  })
})

describe('the proxy variables', () => {
  it('lead directly, to a proxy without credentials in its URL, or to a fault', () => {
    const proxy = nearly('http://user:p%40ss@proxy.example:3128', 'proxy:80', 'https://[::1]:1')
    const except = nearly('*.lemlist.com, 10.0.0.0/8 [::1]:443', '::/0', '*', 'lemlist.com:443')
    const base = fc.constantFrom('https://api.lemlist.com', 'http://127.0.0.1:1', 'http://[::1]')
    fc.assert(
      fc.property(proxy, except, base, (url, noProxy, to) => {
        const way = wayTo(new URL(to), { HTTP_PROXY: url, NO_PROXY: noProxy })
        if (way.kind !== 'proxy') return
        expect(`${way.url.username}${way.url.password}`).toBe('')
        expect(way.authorization ?? 'Basic ').toMatch(/^Basic [A-Za-z0-9+/]*=*$/)
      }),
      RUNS,
    )
  })

  it('keep the user and the password of the proxy', () => {
    const secret = fc.string({ unit: 'grapheme', minLength: 1 })
    fc.assert(
      fc.property(secret, secret, (user, password) => {
        fc.pre(user.isWellFormed() && password.isWellFormed())
        const pair = [user, password].map(encodeURIComponent).join(':')
        const way = wayTo(new URL('https://lemlist.example'), { HTTPS_PROXY: `http://${pair}@p:1` })
        const sent = way.kind === 'proxy' ? (way.authorization ?? '') : ''
        const told = Buffer.from(sent.slice('Basic '.length), 'base64').toString()
        expect(told).toBe(`${user}:${password}`)
      }),
      RUNS,
    )
  })
})

describe('a file of variables', () => {
  it('of any bytes is read or refused with a fault', () => {
    const folder = mkdtempSync(join(tmpdir(), 'env-file-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'env')
    const text = nearly('A=1\nB="two\nlines"\n# C\nexport D=\'x\'', '\ufeffA=`1`').map((one) =>
      Buffer.from(one),
    )
    fc.assert(
      fc.property(fc.oneof(text, fc.uint8Array()), (bytes) => {
        writeFileSync(path, bytes)
        const env: Record<string, string | undefined> = { A: 'kept' }
        const outcome = outcomeOf(() => addEnvFile(path, env), ConfigError)
        if (outcome instanceof ConfigError) expect(outcome.faults).toHaveLength(1)
        expect(env.A).toBe('kept')
      }),
      { numRuns: 300 },
    )
  })
})
