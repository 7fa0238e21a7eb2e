import { type ExecFileOptions, execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tempDirectory } from '../helpers/process.ts'

/** What runs in production beside our own code: the list of it, and what is known against it. */

const ROOT = join(import.meta.dirname, '../..')
const noNpm = spawnSync('npm', ['--version']).status !== 0 && process.env.CI !== 'true'
const obstacle = noNpm ? ' (no npm on PATH)' : ''

/** Runs a program to its end. */
const output = (file: string, args: readonly string[], options: ExecFileOptions) =>
  new Promise<{ status: unknown; out: string }>((resolve) => {
    execFile(file, args, { ...options, encoding: 'utf8' }, (error, out) =>
      resolve({ status: error === null ? 0 : error.code, out }),
    )
  })

interface Locked {
  readonly version: string
  readonly dev?: boolean
  /** A folder of the project that is installed like a package. */
  readonly link?: boolean
}

describe.skipIf(noNpm)(`npm run sbom${obstacle}`, () => {
  it('prints every package that runs in production and no other, the same bytes each time', async () => {
    const make = async () => {
      const { status, out } = await output('npm', ['run', '--silent', 'sbom'], {
        cwd: ROOT,
        maxBuffer: 2 ** 24,
      })
      expect(status).toBe(0)
      return out
    }
    const text = await make()
    expect(await make()).toBe(text)
    const bom = JSON.parse(text)
    expect(bom).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      metadata: { component: { type: 'application', name: 'lemlist-export-gateway' } },
    })

    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
    const packages = Object.entries<Locked>(lock.packages)
    const expected = packages
      .filter(([path, { dev, link }]) => path.startsWith('node_modules/') && !dev && !link)
      .map(([path, { version }]) => `${path.split('node_modules/').at(-1)}@${version}`)
    const listed: { name: string; version: string; hashes: unknown[]; licenses: unknown[] }[] =
      bom.components
    expect(listed.length).toBeGreaterThan(30)
    expect(listed.map(({ name, version }) => `${name}@${version}`).toSorted()).toEqual(
      [...new Set(expected)].toSorted(),
    )
    for (const { name, hashes, licenses } of listed) {
      expect([name, hashes.length, licenses.length]).toEqual([name, 1, 1])
    }
  })
})

/** What a registry says against the only dependency of a project. */
const advisory = (severity: string) => ({
  leaky: [
    {
      ...{ id: 1, url: 'https://example.com/1', title: 'It leaks', severity },
      ...{ vulnerable_versions: '<2.0.0', cwe: [], cvss: { score: 0, vectorString: null } },
    },
  ],
})

/** Runs the audit in a project with one dependency, whose registry answers as told. */
const audit = async (status: number, body: unknown, dev = false) => {
  const registry = createServer((request, response) => {
    request.resume()
    const isAudit = request.method === 'POST'
    const known = { name: 'leaky', versions: { '1.0.0': { name: 'leaky', version: '1.0.0' } } }
    response.writeHead(isAudit ? status : 200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(isAudit ? body : known))
  })
  registry.listen(0, '127.0.0.1')
  await once(registry, 'listening')
  onTestFinished(() => {
    registry.closeAllConnections()
    registry.close()
  })
  const { port } = registry.address() as AddressInfo
  const cwd = tempDirectory()
  const manifest = {
    name: 'x',
    version: '1.0.0',
    [dev ? 'devDependencies' : 'dependencies']: { leaky: '1.0.0' },
  }
  const packages = { '': manifest, 'node_modules/leaky': { version: '1.0.0', ...(dev && { dev }) } }
  writeFileSync(join(cwd, 'package.json'), JSON.stringify(manifest))
  writeFileSync(
    join(cwd, 'package-lock.json'),
    JSON.stringify({ ...manifest, lockfileVersion: 3, requires: true, packages }),
  )
  const env = {
    ...{ PATH: process.env.PATH, HOME: cwd },
    npm_config_registry: `http://127.0.0.1:${port}/`,
    npm_config_fetch_retry_mintimeout: '10',
  }
  const script = join(ROOT, '.ci/audit.mjs')
  return output(process.execPath, [script], { cwd, env })
}

describe.skipIf(noNpm)(`the audit of production dependencies${obstacle}`, () => {
  it.each([
    ['passes when nothing is known', {}, 0, '0 critical, 0 high, 0 in all'],
    ['tells of what is moderate, and passes', advisory('moderate'), 0, 'moderate: leaky'],
    ['fails for what is high', advisory('high'), 1, 'high: leaky'],
    ['fails for what is critical', advisory('critical'), 1, '1 critical, 0 high, 1 in all'],
  ])('%s', async (_, body, status, line) => {
    expect(await audit(200, body)).toMatchObject({ status, out: expect.stringContaining(line) })
  })

  it('looks at nothing that only developers run', async () => {
    const answer = await audit(200, {}, true)
    expect(answer).toMatchObject({ status: 0, out: '0 critical, 0 high, 0 in all\n' })
  })

  it.each([404, 405, 403, 400, 501])('is skipped where the registry answers %d', async (status) => {
    const out = `skipped: the registry has no audit (it answered ${status})\n`
    expect(await audit(status, {})).toMatchObject({ status: 77, out })
  })

  it.each([500, 503])('fails where the registry answers %d, which may pass', async (status) => {
    const out = expect.stringContaining('the audit failed: ')
    expect(await audit(status, {})).toMatchObject({ status: 1, out })
  })
})

describe('.ci/run', () => {
  it('audits, and ends with the totals', () => {
    const script = readFileSync(join(ROOT, '.ci/run'), 'utf8')
    expect(script).toMatch(/^step 'npm audit' timeout \d+m node \.ci\/audit\.mjs$/m)
    expect(existsSync(join(ROOT, '.ci/audit.mjs'))).toBe(true)
    const lines = script.trim().split('\n')
    expect(lines.at(-2)).toMatch(/^echo ".*0 passed, 0 failed, 0 skipped}"$/)
  })
})
