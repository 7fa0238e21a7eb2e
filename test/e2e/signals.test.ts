import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { compileCache } from '../helpers/compile-cache.ts'
import { freePort } from '../helpers/free-port.ts'
import { GATEWAY_ENV, listening } from '../helpers/log-output.ts'
import { tempDirectory } from '../helpers/process.ts'
import { startProgram } from '../helpers/program.ts'

const LISTENING = /"url":"(http:[^"]+)".*"msg":"listening"/
const { LEMLIST_API_KEY, ...QUIET } = { ...GATEWAY_ENV, PORT: '0' }

/** Has the gateway send itself a signal while it loads its modules, long before it listens. */
const whileLoading = (signal: string): { readonly NODE_OPTIONS: string } => {
  const file = join(tempDirectory(), 'signal.cjs')
  writeFileSync(
    file,
    `let sent = false
     require('node:module').registerHooks({
       resolve: (specifier, context, next) => {
         if (specifier === 'fastify' && !sent) {
           sent = true
           process.kill(process.pid, '${signal}')
         }
         return next(specifier, context)
       },
     })`,
  )
  return { NODE_OPTIONS: `--require ${file}` }
}

// Regression: until the gateway listened, Node did with each signal what the system does by default.
describe('a signal that comes while the gateway still loads', () => {
  it('SIGHUP with a key file has the file read again', async () => {
    const file = join(tempDirectory(), 'key')
    writeFileSync(file, 'a-key')
    const env = { ...QUIET, ...whileLoading('SIGHUP'), LEMLIST_API_KEY_FILE: file }
    const program = startProgram('main.ts', { env })
    await program.says(/"action":"reload"/)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('%s stops it with 0', async (signal) => {
    const env = { ...QUIET, ...whileLoading(signal), LEMLIST_API_KEY }
    const program = startProgram('main.ts', { env })
    expect(await program.ended).toBe(0)
    expect(program.out()).toContain('stopping')
    expect(program.err()).toBe('')
  })
})

describe('SIGUSR1', () => {
  it('opens no debugger in a process that holds a key', async () => {
    const program = startProgram('main.ts', { env: { ...QUIET, LEMLIST_API_KEY } })
    const [, url = ''] = await program.says(LISTENING)
    program.child.kill('SIGUSR1')
    // Node starts its debugger in a thread, which takes a moment.
    for (let n = 0; n < 100; n += 1) await fetch(`${url}/health/live`)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
    expect(program.err()).toBe('')
  })
})

const withoutNpm = spawnSync('npm', ['--version']).status !== 0 && process.env.CI !== 'true'

describe.skipIf(withoutNpm || process.platform === 'win32')('npm start', () => {
  // Regression: npm passes SIGTERM to its shell, which passes it to nobody. Node stayed.
  it('that gets SIGTERM leaves no gateway behind', async () => {
    const port = await freePort()
    const npm = spawn('npm', ['start'], {
      cwd: fileURLToPath(new URL('../../', import.meta.url)),
      env: {
        ...{ PATH: process.env.PATH, HOME: tempDirectory(), ...compileCache() },
        ...{ ...QUIET, LEMLIST_API_KEY, PORT: `${port}` },
      },
      stdio: ['ignore', 'pipe', 'inherit'],
      // A group of its own, so that the test can end whatever is left of it.
      detached: true,
    })
    const { pid } = npm
    if (pid === undefined) throw new Error('npm did not start')
    onTestFinished(() => void spawnSync('kill', ['-KILL', '--', `-${pid}`]))
    let log = ''
    npm.stdout.on('data', (data) => {
      log += data
    })
    const url = `http://127.0.0.1:${port}`
    await listening(url, () => npm.exitCode !== null)
    npm.kill('SIGTERM')
    // The gateway holds the pipe of its log. It closes with the last process.
    await once(npm.stdout, 'close')
    expect(log).toMatch(/"signal":"SIGTERM","msg":"stopping"/)
    await vi.waitFor(() => expect(fetch(url)).rejects.toThrow(), 4_000)
  })
})
