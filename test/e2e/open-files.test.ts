import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { compileCache } from '../helpers/compile-cache.ts'
import { GATEWAY_ENV, MAIN } from '../helpers/log-output.ts'
import { tempDirectory } from '../helpers/process.ts'

// Regression: callers waited for ever, and not a line said why.
describe.skipIf(process.platform === 'win32')('a gateway with 64 file descriptors', () => {
  it('warns when 100 connections come, and serves when they are gone', async () => {
    const child = spawn('sh', ['-c', `ulimit -n 64; exec "${process.execPath}" "${MAIN}"`], {
      env: { PATH: process.env.PATH, ...compileCache(), ...GATEWAY_ENV, PORT: '0' },
      cwd: tempDirectory(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let log = ''
    child.stdout.on('data', (data) => {
      log += data
    })
    const urlOf = () => /"url":"(http:[^"]+)".*"msg":"listening"/.exec(log)?.[1]
    await vi.waitFor(() => expect(urlOf()).toBeDefined(), 20_000)
    const url = urlOf() ?? ''
    const sockets = Array.from({ length: 100 }, () => connect(Number(new URL(url).port)))
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    await vi.waitFor(
      () => expect(log).toMatch(/"code":"EMFILE","msg":"no file descriptor is left/),
      10_000,
    )
    for (const socket of sockets) socket.destroy()
    // Until the gateway has seen that they are gone, the system resets new connections.
    await vi.waitFor(
      async () => expect((await fetch(`${url}/health/live`)).status).toBe(200),
      10_000,
    )
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
