import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../src/config/config.ts'
import { VARIABLES } from '../../src/config/variables.ts'
import { parseDockerfile } from '../helpers/dockerfile.ts'
import { startGateway } from '../helpers/gateway.ts'

/** No cluster is at hand here. What would not start, or would be open to others, is found by reading. */
const fileAt = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

// The parser that writes /openapi.yaml. It is no dependency of this project's own.
const yaml: { parseAllDocuments(text: string): { toJS(): unknown }[] } = createRequire(
  createRequire(import.meta.url).resolve('@fastify/swagger'),
)('yaml')

const probe = z.object({
  httpGet: z.object({ path: z.string(), port: z.literal('ops') }),
  periodSeconds: z.number(),
})
const labels = z.record(z.string(), z.string())
const deployment = z.object({
  kind: z.literal('Deployment'),
  spec: z.object({
    replicas: z.literal(1),
    strategy: z.object({ type: z.literal('Recreate') }),
    selector: z.object({ matchLabels: labels }),
    template: z.object({
      metadata: z.object({ labels }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        securityContext: z.object({
          runAsNonRoot: z.literal(true),
          runAsUser: z.number(),
          fsGroup: z.number(),
        }),
        containers: z.tuple([
          z.object({
            ports: z.tuple([
              z.object({ name: z.literal('http'), containerPort: z.number() }),
              z.object({ name: z.literal('ops'), containerPort: z.number() }),
            ]),
            env: z.array(z.object({ name: z.string(), value: z.string() })),
            startupProbe: probe,
            livenessProbe: probe,
            readinessProbe: probe,
            securityContext: z.object({
              allowPrivilegeEscalation: z.literal(false),
              readOnlyRootFilesystem: z.literal(true),
              capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
            }),
            volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
          }),
        ]),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
  }),
})

const documents = yaml
  .parseAllDocuments(fileAt('deploy/kubernetes.yaml'))
  .map((document) => z.looseObject({ kind: z.string() }).parse(document.toJS()))
const { spec } = deployment.parse(documents.find(({ kind }) => kind === 'Deployment'))
const pod = spec.template.spec
const [container] = pod.containers
const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value]))

describe('deploy/kubernetes.yaml', () => {
  it('has a Deployment, a Service, a NetworkPolicy and a PodDisruptionBudget of the same pods', () => {
    expect(documents.map(({ kind }) => kind)).toEqual([
      'Deployment',
      'Service',
      'NetworkPolicy',
      'PodDisruptionBudget',
    ])
    const label = JSON.stringify(spec.selector.matchLabels)
    expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels)
    for (const one of documents) expect(JSON.stringify(one)).toContain(label)
  })

  it('sets only variables that the gateway knows, to values that it takes', () => {
    expect(Object.keys(env).length).toBeGreaterThan(0)
    for (const name of Object.keys(env)) expect(VARIABLES).toHaveProperty(name)
    const { LEMLIST_API_KEY_FILE: _, ...rest } = env
    expect(() => loadConfig({ LEMLIST_API_KEY: 'key', HOST: '0.0.0.0', ...rest })).not.toThrow()
  })

  it('holds no key, and mounts the file that the gateway reads it from', () => {
    expect(env).not.toHaveProperty('LEMLIST_API_KEY')
    const mount = container.volumeMounts.find(({ name }) => name === 'key')
    expect(env.LEMLIST_API_KEY_FILE).toBe(`${mount?.mountPath}/lemlist-api-key`)
    expect(pod.volumes.map(({ name }) => name).sort()).toEqual(
      container.volumeMounts.map(({ name }) => name).sort(),
    )
  })

  it('gives the gateway longer to stop than it takes', () => {
    const shutdownMs = Number(env.SHUTDOWN_TIMEOUT_MS ?? VARIABLES.SHUTDOWN_TIMEOUT_MS.default)
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(shutdownMs)
    expect(Number(env.DRAIN_DELAY_MS)).toBeGreaterThan(
      container.readinessProbe.periodSeconds * 1_000,
    )
  })

  it('runs the image as its own user, on its own port and folder', () => {
    const steps = parseDockerfile(fileAt('Dockerfile'))
    const { runAsUser: uid, fsGroup: gid } = pod.securityContext
    expect(steps).toContainEqual({ do: 'USER', uid, gid })
    const values = steps.flatMap((step) => (step.do === 'ENV' ? [step.values] : []))
    expect(values.map(({ PORT }) => Number(PORT))).toContain(container.ports[0].containerPort)
    expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain('/data')
  })

  it('asks routes that the gateway has', async () => {
    const { app } = await startGateway({ env: { OPS_PORT: '0' } })
    const url = `http://127.0.0.1:${app.opsPort()}`
    expect(Number(env.OPS_PORT)).toBe(container.ports[1].containerPort)
    const { startupProbe, livenessProbe, readinessProbe } = container
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
      expect((await fetch(url + httpGet.path)).status, httpGet.path).toBe(200)
    }
    expect(livenessProbe.httpGet.path).toBe('/health/live')
  })
})
