/** Looks for a secret in bytes, in all encodings in which a program could have written it. */

const SHORTEST = 8

/**
 * The base64 characters that depend on the secret alone. They differ with the position at which the
 * secret starts in a group of three bytes: `offset` is 0, 1 or 2.
 */
const base64At = (secret: Buffer, offset: number, encoding: 'base64' | 'base64url'): string => {
  const text = Buffer.concat([Buffer.alloc(offset), secret]).toString(encoding)
  const first = Math.ceil((offset * 8) / 6)
  return text.slice(first, Math.floor(((offset + secret.length) * 8) / 6))
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1)
const codePointsOf = (text: string): string =>
  [...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
const lowerCaseCodes = (text: string): string => text.replace(/%../g, (code) => code.toLowerCase())
/** WHATWG URL leaves more characters as they are than `encodeURIComponent` does, and fewer. */
const passwordOf = (text: string): string => {
  const url = new URL('redis://host')
  url.password = text
  return url.password
}

const formsOf = (name: string, text: string): [string, string][] => {
  const bytes = Buffer.from(text)
  const hex = bytes.toString('hex')
  return [
    [`${name}, plain`, text],
    [`${name}, percent-encoded`, encodeURIComponent(text)],
    [`${name}, percent-encoded twice`, encodeURIComponent(encodeURIComponent(text))],
    [`${name}, percent-encoded in lower case`, lowerCaseCodes(encodeURIComponent(text))],
    [`${name}, every byte percent-encoded`, hex.replace(/../g, '%$&')],
    [`${name}, like the password of a URL`, passwordOf(text)],
    [`${name}, in JSON`, inJson(text)],
    [`${name}, in JSON in JSON`, inJson(inJson(text))],
    [`${name}, in JSON as code points`, codePointsOf(text)],
    [`${name}, in lower case`, text.toLowerCase()],
    [`${name}, hex`, hex],
    [`${name}, HEX`, hex.toUpperCase()],
    ...[0, 1, 2].flatMap((offset): [string, string][] => [
      [`${name}, base64 at ${offset}`, base64At(bytes, offset, 'base64')],
      [`${name}, base64url at ${offset}`, base64At(bytes, offset, 'base64url')],
    ]),
  ]
}

/**
 * The names of the forms of the secret that were found; an empty list when there are none. Each
 * half of the secret is also searched for, because a log may cut its lines.
 * @throws when a part of the secret is shorter than 8 characters
 */
export const findSecret = (haystack: Uint8Array | string, secret: string): string[] => {
  const half = Math.ceil(secret.length / 2)
  const parts: [string, string][] = [
    ['all', secret],
    ['as a password', `:${secret}`],
    ['first half', secret.slice(0, half)],
    ['second half', secret.slice(half)],
    // A parser shows so many characters of what it refuses. All JWTs begin alike.
    ...(secret.startsWith('eyJ') ? [] : [['beginning', secret.slice(0, 10)] as [string, string]]),
  ]
  const bytes = Buffer.from(haystack)
  const forms = parts.flatMap(([name, text]) => formsOf(name, text))
  for (const [, form] of forms) {
    if (form.length < SHORTEST) throw new Error('the secret is too short to be looked for')
  }
  return forms.flatMap(([name, form]) => (bytes.includes(form) ? [name] : []))
}
