import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sharedGateway, startGateway } from '../helpers/gateway.ts'
import { COMMITTED } from '../helpers/openapi.ts'

const project = fileURLToPath(new URL('../../', import.meta.url))

/** Runs the linter of the document. The variables keep it from sending usage data to its maker. */
const redocly = (...args: readonly string[]) =>
  promisify(execFile)(join(project, 'node_modules/.bin/redocly'), args, {
    cwd: project,
    env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  })

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'openapi-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

describe('the document as it is served', () => {
  const gateway = sharedGateway()

  it('is the committed JSON at /openapi.json', async () => {
    const answer = await fetch(`${gateway().url}/openapi.json`)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(`${await answer.text()}\n`).toBe(COMMITTED)
  })

  it('is the same as YAML at /openapi.yaml', async () => {
    const answer = await fetch(`${gateway().url}/openapi.yaml`)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^application\/yaml/)
    const directory = folder()
    const yaml = join(directory, 'openapi.yaml')
    const json = join(directory, 'openapi.json')
    writeFileSync(yaml, await answer.text())
    // Any parser of YAML would do. Redocly is installed already.
    await redocly('bundle', yaml, '--output', json)
    expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual(JSON.parse(COMMITTED))
  })

  it.each(['/docs', '/docs/'])('has a page of Swagger UI at %s', async (path) => {
    const answer = await fetch(`${gateway().url}${path}`)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^text\/html/)
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await answer.text()).toContain('swagger-ui')
  })

  it('has no page when DOCS is false, but is still served', async () => {
    const { url } = await startGateway({ env: { DOCS: 'false' } })
    expect((await fetch(`${url}/docs/`)).status).toBe(404)
    expect((await fetch(`${url}/openapi.json`)).status).toBe(200)
  })
})

describe('the linter of documents', () => {
  it('finds no fault in the committed document', async () => {
    const { stdout, stderr } = await redocly('lint', '--format', 'json')
    const { totals } = JSON.parse(stdout)
    expect(totals, stderr).toEqual({ errors: 0, warnings: 0, ignored: 0 })
  })

  it('finds the fault in a broken document', async () => {
    const broken = join(folder(), 'broken.json')
    writeFileSync(broken, COMMITTED.replaceAll('"#/components/schemas/Problem"', '"#/nowhere"'))
    await expect(redocly('lint', broken, '--extends', 'recommended')).rejects.toThrow()
  })
})
