import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseDockerfile } from '../helpers/dockerfile.ts'
import { freePort } from '../helpers/free-port.ts'
import { startProgram } from '../helpers/program.ts'

/** The HEALTHCHECK of the image, in the environments in which gateways run. */

type Env = Readonly<Record<string, string>>

const GATEWAY = { LEMLIST_API_KEY: 'key', STORE_URL: 'memory:', LOG_LEVEL: 'info' }
/** A proxy that does not exist: whoever asks through it gets no answer. */
const PROXY = {
  NODE_USE_ENV_PROXY: '1',
  HTTP_PROXY: 'http://127.0.0.1:1',
  http_proxy: 'http://127.0.0.1:1',
}

const check = async (env: Env): Promise<number | string> => {
  const { ended } = startProgram('health-check.ts', { env })
  return await ended
}

const listening = async (server: Server): Promise<string> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  // A server that listens on TCP has such an address.
  return String((server.address() as AddressInfo).port)
}

it('the image runs it', () => {
  const steps = parseDockerfile(readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8'))
  expect(steps).toContainEqual({ do: 'HEALTHCHECK', argv: ['node', 'src/health-check.ts'] })
})

describe('the health check of a gateway that serves', () => {
  // Regression: the check asked 127.0.0.1 whatever HOST was, and asked the proxy if there was one.
  it.each<[string, Env]>([
    ['on its default address', {}],
    ['while the environment names a proxy', PROXY],
    ['on the IPv6 loopback address', { HOST: '::1' }],
    ['on the IPv6 loopback address in brackets, beside a proxy', { HOST: '[::1]', ...PROXY }],
    ['on another loopback address', { HOST: '127.0.0.2' }],
    ['on a name', { HOST: 'localhost' }],
    ['on all addresses', { HOST: '0.0.0.0', AUTH: 'none' }],
    ['on all addresses of IPv6', { HOST: '::', AUTH: 'none' }],
    ['with a port for operators', { OPS_PORT: '0' }],
    ['with a public name', { PUBLIC_URL: 'https://gw.example.com/lemlist' }],
  ])('%s is good', async (_, env) => {
    const PORT = String(await freePort())
    const gateway = startProgram('main.ts', { env: { ...GATEWAY, ...env, PORT } })
    await gateway.says(/"msg":"listening"/)
    expect(await check({ ...env, PORT })).toBe(0)
  })
})

describe('the health check is bad', () => {
  it('when nobody listens', async () => {
    expect(await check({ PORT: String(await freePort()) })).toBe(1)
  })

  it('when the gateway takes the connection and hangs', async () => {
    const server = createServer((socket) => void onTestFinished(() => void socket.destroy()))
    expect(await check({ PORT: await listening(server) })).toBe(1)
  })

  it('when the answer is an error', async () => {
    const server = createHttpServer((_, answer) => void answer.writeHead(503).end())
    expect(await check({ PORT: await listening(server) })).toBe(1)
  })
})
