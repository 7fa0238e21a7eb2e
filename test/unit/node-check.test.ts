import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'

/**
 * On macOS, on Windows and before the first `npm ci`, the npm scripts run on the Node of the
 * machine. Node 20 once ended them with ERR_UNKNOWN_FILE_EXTENSION, and Node 23 ended them with
 * exit code 0 and without a word.
 */
const project = fileURLToPath(new URL('../../', import.meta.url))
const CHECK = './tools/node-check.cjs'
// The file has no declarations, because it is plain CommonJS. The tests below see what it holds.
const { isSupported } = createRequire(import.meta.url)('../../tools/node-check.cjs') as {
  isSupported(version: string): boolean
}

const jsonOf = (file: string) => JSON.parse(readFileSync(join(project, file), 'utf8'))
const { scripts, engines } = jsonOf('package.json')

/** Runs a program of one line behind the check, in a process of its own. */
const runBehindCheck = (node: string, ...before: readonly string[]) => {
  const args = [...before, '-r', CHECK, '-e', 'console.log("it runs")']
  const { status, stdout, stderr } = spawnSync(node, args, { cwd: project, encoding: 'utf8' })
  return { status, stdout, stderr }
}

/** Writes a file that makes the process that loads it look like another Node. Returns its path. */
const pretendToBe = (version: string): string => {
  const directory = mkdtempSync(join(tmpdir(), 'node-check-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'pretend.cjs')
  writeFileSync(
    file,
    `const versions = { ...process.versions, node: '${version}' }
     Object.defineProperty(process, 'versions', { value: versions })`,
  )
  return file
}

describe('the check of the Node that runs the scripts', () => {
  it.each(['22.19.0', '22.20.1', '24.3.0', '24.21.0', '25.0.0', '26.10.0'])('takes %s', (version) =>
    expect(isSupported(version)).toBe(true),
  )

  it.each(['18.20.8', '20.20.2', '22.18.0', '23.11.0', '24.0.0', '24.2.0'])(
    'refuses %s',
    (version) => expect(isSupported(version)).toBe(false),
  )

  it('judges by the range that package.json and the lockfile name', () => {
    expect(engines.node).toBe('^22.19.0 || >=24.3.0')
    expect(jsonOf('package-lock.json').packages[''].engines).toEqual(engines)
  })

  it('comes first in every script that serves, and only in front of a file that is there', () => {
    const serving = ['start', 'sandbox', 'dev']
    for (const name of serving) {
      const [, entry = ''] = /^node -r (?:\S+) (?:--watch )?(\S+)$/.exec(scripts[name]) ?? []
      expect(scripts[name], name).toMatch(`node -r ${CHECK} `)
      expect(existsSync(join(project, entry || 'nowhere')), name).toBe(true)
    }
    expect(existsSync(join(project, CHECK))).toBe(true)
  })

  it('says nothing on a Node that is new enough', () => {
    expect(runBehindCheck(process.execPath)).toEqual({ status: 0, stdout: 'it runs\n', stderr: '' })
  })

  it('ends an old Node with 1, and says what is needed, what this is and what to do', () => {
    const { status, stdout, stderr } = runBehindCheck(
      process.execPath,
      ...['-r', pretendToBe('20.20.2')],
    )
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^This project needs Node 24\.3 or newer, or Node 22\.19 /)
    expect(stderr).toContain(`This is Node 20.20.2: ${process.execPath}\n`)
    expect(stderr).toContain('npm ci')
    expect(stderr).toContain('https://nodejs.org/')
  })
})

/** The path of a Node of this machine that is too old. Undefined when there is none. */
const oldNode = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, process.platform === 'win32' ? 'node.exe' : 'node'))
  .filter((node) => existsSync(node))
  .find((node) => {
    const { stdout } = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' })
    return stdout !== '' && !isSupported(stdout.trim())
  })

describe.skipIf(oldNode === undefined)('an old Node of this machine', () => {
  it.each(['start', 'sandbox'])('is told so by the command of `npm run %s`', (name) => {
    const [, ...args] = scripts[name].split(' ')
    const { status, stdout, stderr } = spawnSync(oldNode ?? '', args, {
      cwd: project,
      encoding: 'utf8',
    })
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^This project needs Node /)
    expect(stderr).not.toContain('ERR_UNKNOWN_FILE_EXTENSION')
  })
})

describe('.npmrc', () => {
  /** npm's warnings about a Node that never runs the project once filled a newcomer's screen. */
  it('keeps the warnings of npm quiet, and not its errors', () => {
    const lines = readFileSync(join(project, '.npmrc'), 'utf8').split('\n')
    expect(lines).toContain('loglevel=error')
    expect(lines).toContain('ignore-scripts=true')
  })
})
