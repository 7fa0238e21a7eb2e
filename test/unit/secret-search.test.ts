import { describe, expect, it } from 'vitest'
import { findSecret } from '../helpers/secret-search.ts'

const SECRET = 'canary/Key"+7f3a9\\b1e5d~x'
const hidden = (text: string) => `{"level":30,"msg":"${text}","n":1}`
const half = Math.ceil(SECRET.length / 2)

describe('the search for a secret', () => {
  it.each([
    ['plain', SECRET],
    ['in a header', `Basic ${Buffer.from(`:${SECRET}`).toString('base64')}`],
    ['without the colon', Buffer.from(SECRET).toString('base64')],
    ['in base64 after one byte', Buffer.from(`x${SECRET}`).toString('base64')],
    ['in base64 after two bytes', Buffer.from(`xy${SECRET}`).toString('base64')],
    ['in base64 within a longer text', Buffer.from(`user:${SECRET} and more`).toString('base64')],
    ['in base64url', Buffer.from(`:${SECRET}`).toString('base64url')],
    ['in hex', Buffer.from(SECRET).toString('hex')],
    ['in HEX', Buffer.from(SECRET).toString('hex').toUpperCase()],
    ['percent-encoded', encodeURIComponent(SECRET)],
    ['percent-encoded twice', encodeURIComponent(encodeURIComponent(SECRET))],
    [
      'percent-encoded in lower case',
      encodeURIComponent(SECRET).replaceAll(/%../g, (code) => code.toLowerCase()),
    ],
    ['percent-encoded byte by byte', Buffer.from(SECRET).toString('hex').replace(/../g, '%$&')],
    ['as the password of a URL', new URL(`redis://:${encodeURIComponent(SECRET)}@host`).href],
    ['as the user and password of Basic', Buffer.from(`user:${SECRET}`).toString('base64')],
    ['in JSON', JSON.stringify(SECRET)],
    ['in JSON in JSON', JSON.stringify(JSON.stringify(SECRET))],
    [
      'in JSON as code points',
      [...SECRET].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join(''),
    ],
    ['in lower case', SECRET.toLowerCase()],
    ['cut after its first half', SECRET.slice(0, half)],
    ['cut before its second half', SECRET.slice(half)],
    ['as a parser shows it', `${SECRET.slice(0, 10)}"... is not valid JSON`],
  ])('finds it %s, in text and in bytes', (_, form) => {
    expect(findSecret(hidden(form), SECRET)).not.toEqual([])
    const bytes = Buffer.concat([Buffer.from([0, 255, 128]), Buffer.from(form), Buffer.from([0])])
    expect(findSecret(bytes, SECRET)).not.toEqual([])
  })

  it('finds nothing where there is nothing', () => {
    expect(findSecret(hidden('canary'), SECRET)).toEqual([])
    expect(findSecret('', SECRET)).toEqual([])
  })

  it('refuses a secret that is so short that it could be found by chance', () => {
    expect(() => findSecret('', 'short-key')).toThrow('too short')
  })
})
