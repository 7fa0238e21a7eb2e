import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VARIABLES } from '../../src/config/variables.ts'
import { parseDockerfile } from '../helpers/dockerfile.ts'

/** No engine here can run them: what would not start, or would be open to others, is found by reading. */
const project = fileURLToPath(new URL('../../', import.meta.url))

// The parser that writes /openapi.yaml; it is no dependency of this project's own.
const yaml: { parse(text: string): unknown } = createRequire(
  createRequire(import.meta.url).resolve('@fastify/swagger'),
)('yaml')

const service = z.object({
  image: z.string(),
  build: z.string().optional(),
  restart: z.literal('unless-stopped'),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  command: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z.array(z.string()).default([]),
  secrets: z.array(z.string()).default([]),
  depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).default([]),
  stop_grace_period: z.string().optional(),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
})

const composeFile = z.object({
  services: z.record(z.string(), service),
  networks: z
    .record(z.string(), z.object({ internal: z.boolean().optional() }).nullable())
    .default({}),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
  volumes: z.record(z.string(), z.null()),
})

const read = async (file: string) =>
  composeFile.parse(yaml.parse(await readFile(join(project, file), 'utf8')))

const FILES = ['compose.yaml', 'compose.fleet.yaml']

describe.each(FILES)('%s', (file) => {
  it('runs images of one version, on files that exist', async () => {
    const { services, ...rest } = await read(file)
    expect(Object.keys(services).length).toBeGreaterThan(0)
    for (const [name, { image, build, volumes, networks, secrets, depends_on }] of Object.entries(
      services,
    )) {
      if (build !== undefined) expect(existsSync(join(project, build, 'Dockerfile'))).toBe(true)
      else expect(image, name).toMatch(/^[a-z/]+:\d+\.\d+\.\d+(-[a-z]+)?$/)
      for (const volume of volumes) {
        const [source = '', target] = volume.split(':')
        expect(target, volume).toMatch(/^\//)
        if (source.startsWith('.')) expect(existsSync(join(project, source)), source).toBe(true)
        else expect(rest.volumes).toHaveProperty(source)
      }
      for (const network of networks) expect(rest.networks).toHaveProperty(network)
      for (const secret of secrets) expect(rest.secrets).toHaveProperty(secret)
      const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on)
      for (const other of needed) expect(services).toHaveProperty(other)
    }
  })

  it('is reached from this machine alone, since nobody asks who calls', async () => {
    const { services } = await read(file)
    const ports = Object.values(services).flatMap((each) => each.ports)
    expect(ports).toContain('127.0.0.1:8080:8080')
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/)
    expect(Object.values(services).map(({ environment }) => environment.AUTH)).toContain('none')
  })

  it('says nothing to a gateway that it does not know, and waits until it has stopped', async () => {
    const { services } = await read(file)
    const gateways = Object.values(services).filter(({ build }) => build !== undefined)
    expect(gateways.length).toBeGreaterThan(0)
    for (const { environment, stop_grace_period, secrets } of gateways) {
      expect(Object.keys(environment).length).toBeGreaterThan(0)
      for (const name of Object.keys(environment)) expect(VARIABLES).toHaveProperty(name)
      const graceMs = Number(/^(\d+)s$/.exec(stop_grace_period ?? '')?.[1]) * 1_000
      expect(graceMs).toBeGreaterThan(Number(VARIABLES.SHUTDOWN_TIMEOUT_MS.default))
      expect(environment.LEMLIST_API_KEY_FILE).toBe(`/run/secrets/${secrets[0]}`)
      // The key itself is in no file of the project.
      expect(environment).not.toHaveProperty('LEMLIST_API_KEY')
    }
  })
})

describe('compose.fleet.yaml', () => {
  it('has three gateways that share a Redis which nobody else reaches', async () => {
    const { services, networks } = await read('compose.fleet.yaml')
    const gateways = Object.entries(services).filter(([, { build }]) => build !== undefined)
    expect(gateways.map(([name]) => name)).toEqual(['gateway-1', 'gateway-2', 'gateway-3'])
    for (const [, { environment, networks: joined }] of gateways) {
      expect(environment.STORE_URL).toBe('redis://redis:6379')
      expect(joined).toContain('store')
    }
    expect(services.redis?.networks).toEqual(['store'])
    expect(networks.store).toEqual({ internal: true })
    expect(services.balancer?.networks).not.toContain('store')
  })

  it('has a Redis that drops nothing by itself and survives a restart', async () => {
    const command = (await read('compose.fleet.yaml')).services.redis?.command ?? []
    const setting = (name: string) => command[command.indexOf(`--${name}`) + 1]
    expect(command[0]).toBe('redis-server')
    expect(setting('maxmemory-policy')).toBe('noeviction')
    expect(setting('maxmemory')).toMatch(/^\d+mb$/)
    expect(setting('appendonly')).toBe('yes')
    expect(setting('appendfsync')).toBe('everysec')
  })

  it('balances over exactly the gateways that it has', async () => {
    const { services } = await read('compose.fleet.yaml')
    const config = await readFile(join(project, 'deploy/haproxy.cfg'), 'utf8')
    const named = new Set(
      [...config.matchAll(/^ +server \S+ (\S+):8080/gm)].map(([, host]) => host),
    )
    expect([...named].sort()).toEqual(Object.keys(services).filter((name) => /^gateway/.test(name)))
    expect(services.balancer?.volumes.join()).toContain('./deploy/haproxy.cfg:')
  })
})

describe('the image', () => {
  it('waits between "not ready" and the end of its port, as the variables say of it', async () => {
    const steps = parseDockerfile(await readFile(join(project, 'Dockerfile'), 'utf8'))
    const [, promised] = /(\d+) in the image/.exec(VARIABLES.DRAIN_DELAY_MS.about) ?? []
    expect(promised).toBeDefined()
    expect(JSON.stringify(steps)).toContain(`"DRAIN_DELAY_MS":"${promised}"`)
  })
})
