import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { compileCache } from './compile-cache.ts'
import { freePort } from './free-port.ts'
import { tempDirectory } from './process.ts'

/** Gateways whose standard output is something that a test chooses, such as a full disk. */

export const MAIN = join(import.meta.dirname, '../../src/main.ts')

export const GATEWAY_ENV = { LEMLIST_API_KEY: 'a-key', STORE_URL: 'memory:' }

export interface Muted {
  readonly url: string
  readonly child: ChildProcess
  /** Resolves to the exit code, or to the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** Resolves when somebody listens on the port of the URL. */
export const listening = async (url: string, isOver: () => boolean): Promise<void> => {
  for (;;) {
    if (isOver()) throw new Error('the gateway ended before it listened')
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isUp) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Starts a gateway with this file descriptor as its standard output. It ends with the test. */
export const startMuted = async (
  stdout: number,
  env: Readonly<Record<string, string>> = {},
  stderr: number | 'inherit' = 'inherit',
): Promise<Muted> => {
  // A gateway without a log cannot tell its own port.
  const port = await freePort()
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...compileCache(), ...GATEWAY_ENV, PORT: `${port}`, ...env },
    cwd: tempDirectory(),
    stdio: ['ignore', stdout, stderr],
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const url = `http://127.0.0.1:${port}`
  await listening(url, () => child.exitCode !== null)
  return { url, child, ended: exited.then(([code, signal]) => code ?? signal) }
}

/** Opens a file until the test ends. */
export const openFile = (path: string, flags: string): number => {
  const fd = openSync(path, flags)
  onTestFinished(() => closeSync(fd))
  return fd
}

interface Fifo {
  readonly path: string
  readonly writer: number
}

const newFifo = (): string => {
  const path = join(tempDirectory(), 'fifo')
  const { status, stderr } = spawnSync('mkfifo', [path])
  if (status !== 0) throw new Error(String(stderr))
  return path
}

/** Makes a FIFO whose reader never reads: the test itself, which also opened the end for writing. */
export const makeUnreadFifo = (): Fifo => {
  const path = newFifo()
  return { path, writer: openFile(path, 'r+') }
}

/** Makes a FIFO that nobody has opened for reading. */
export const makeFifo = (): Fifo => {
  const path = newFifo()
  // To open the end for writing blocks until somebody has opened the other end.
  const both = openSync(path, 'r+')
  const writer = openFile(path, 'w')
  closeSync(both)
  return { path, writer }
}

const PIPELINED = 50

/** Sends this many requests over one connection, and resolves to the number of answers. */
export const readMany = async (url: string, count: number): Promise<number> => {
  const { host, port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  const request = `GET /nowhere HTTP/1.1\r\nHost: ${host}\r\n\r\n`
  let answers = 0
  let rest = ''
  socket.write(request.repeat(PIPELINED))
  for await (const data of socket) {
    const parts = `${rest}${data}`.split('HTTP/1.1 404 ')
    rest = parts.at(-1)?.slice(-20) ?? ''
    const before = Math.floor(answers / PIPELINED)
    answers += parts.length - 1
    if (answers >= count) break
    if (Math.floor(answers / PIPELINED) > before) socket.write(request.repeat(PIPELINED))
  }
  return answers
}
