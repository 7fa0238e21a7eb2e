import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { listenUntilTheEnd } from './tls-front.ts'

/** How the provider answers: with its keys, with a status and text, or by breaking the connection. */
type Answer = 'keys' | 'broken' | { readonly status: number; readonly text: string }

type Claims = Readonly<Record<string, unknown>>

export interface SigningKey {
  readonly kid: string
  readonly jwk: JWK
  /** Signs exactly these claims. */
  sign(claims: Claims, header?: Readonly<Record<string, unknown>>): Promise<string>
}

/** An OpenID provider as the gateway sees it: real HTTP on a free port, until the test ends. */
export const startProvider = async () => {
  const shown: JWK[] = []
  let answer: Answer = 'keys'
  let fetches = 0
  let held = Promise.resolve()
  const server = createServer(async (_, response) => {
    fetches += 1
    await held
    if (answer === 'broken') response.destroy()
    else if (answer === 'keys') response.end(JSON.stringify({ keys: shown }))
    else response.writeHead(answer.status, { location: '/elsewhere' }).end(answer.text)
  })
  const url = new URL(`http://127.0.0.1:${await listenUntilTheEnd(server)}/jwks`)
  return {
    url,
    /** How often the keys were asked for. */
    fetches: () => fetches,
    answer: (next: Answer): void => {
      answer = next
    },
    /** Answers nobody until the returned function is called. */
    hold: (): (() => void) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return resolve
    },
    show: (...keys: readonly SigningKey[]): void => {
      shown.splice(0, shown.length, ...keys.map(({ jwk }) => jwk))
    },
  }
}

export const createSigningKey = async (kid: string, alg = 'ES256'): Promise<SigningKey> => {
  const { publicKey, privateKey } = await generateKeyPair(alg, { modulusLength: 2048 })
  return {
    kid,
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    sign: (claims, header = {}) =>
      // A cast, because tests also sign claims that have a wrong form.
      new SignJWT(claims as JWTPayload)
        .setProtectedHeader({ alg, kid, ...header })
        .sign(privateKey),
  }
}
