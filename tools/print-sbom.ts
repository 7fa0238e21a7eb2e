import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * Prints the software bill of materials of what runs in production (CycloneDX 1.5). It is made of the lock file, so it does not matter what is installed. The same lock file and
 * the same npm give the same bytes.
 */

const root = new URL('../', import.meta.url)

interface Bom {
  serialNumber?: string
  metadata: { timestamp?: string; component: { name: string; 'bom-ref': string } }
  components: { 'bom-ref': string }[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

interface LockFile {
  readonly name: string
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly dev?: boolean; readonly link?: boolean }>
  >
}

/**
 * Packages that only developers install are left out here. `--omit=dev` of npm also leaves out
 * packages of production that a development dependency needs, too.
 */
const npmSbom = (): string =>
  execFileSync(
    'npm',
    ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'],
    { cwd: fileURLToPath(root), encoding: 'utf8', maxBuffer: 64 * 2 ** 20 },
  )

// npm has written both documents. CycloneDX and npm describe these fields.
const bom = JSON.parse(npmSbom()) as Bom
const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as LockFile

const { component } = bom.metadata
const kept = new Set([component['bom-ref']])
for (const [path, { version, dev, link }] of Object.entries(lock.packages)) {
  const name = path.split('node_modules/').at(-1)
  if (path.startsWith('node_modules/') && dev !== true && link !== true) {
    kept.add(`${name}@${version}`)
  }
}

// The standard requires neither of these two, and both are new each time.
delete bom.serialNumber
delete bom.metadata.timestamp
// npm takes the name of the folder for the name of the project.
component.name = lock.name
bom.components = bom.components.filter((one) => kept.has(one['bom-ref']))
bom.dependencies = bom.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => kept.has(one)) }))

process.stdout.write(`${JSON.stringify(bom, undefined, 2)}\n`)
