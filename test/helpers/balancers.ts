import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, chmodSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { tempDirectory } from './process.ts'

/** The load balancers of `deploy/`, as real programs with the files as they are but for addresses. */

interface Program {
  readonly name: string
  /** The file in `deploy/`. */
  readonly file: string
  /** What it listens to and where it logs, as the file says it. */
  readonly listen: string
  readonly log: string | undefined
  /** What is too large for a machine that tests run on, and what to say instead. */
  readonly smaller: Readonly<Record<string, string>>
  argv(config: string, directory: string): readonly string[]
}

const NGINX: Program = {
  name: 'nginx',
  file: 'nginx.conf',
  listen: 'listen 8080;',
  // It opens the file by its name, which it cannot do with the pipe that a test has as stdout.
  log: 'access_log /dev/stdout ',
  smaller: {
    'worker_rlimit_nofile 65536': 'worker_rlimit_nofile 4096',
    'worker_connections 32768': 'worker_connections 4096',
  },
  argv: (config, directory) => [
    ...['-p', directory, '-e', 'stderr', '-c', config],
    ...['-g', `daemon off; pid ${directory}/pid;`],
  ],
}

const HAPROXY: Program = {
  name: 'haproxy',
  file: 'haproxy.cfg',
  listen: 'bind :8080',
  log: undefined,
  smaller: { 'maxconn 25000': 'maxconn 2000' },
  argv: (config) => ['-db', '-f', config],
}

export const PROGRAMS: readonly Program[] = [NGINX, HAPROXY]

/** Where a program is. Debian keeps servers in a folder that is on the `PATH` of root alone. */
export const findProgram = (name: string): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path) && isExecutable(path))

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const DEPLOY = join(import.meta.dirname, '../../deploy')
const TEN_SECONDS_MS = 10_000

export interface Balancer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** All that it printed or logged so far. */
  readonly output: () => string
}

export interface BalancerOptions {
  /** What else is replaced in the file: each must be there. */
  readonly replace?: Readonly<Record<string, string>>
}

/** One in front of these gateways, which may be fewer than the file names; it ends with the test. */
export const startBalancer = async (
  program: Program,
  gateways: readonly string[],
  { replace = {} }: BalancerOptions = {},
): Promise<Balancer> => {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort()
    const balancer = await start(program, gateways, replace, port)
    if (balancer !== undefined) return balancer
    // Somebody was faster with that port.
    if (tries === 3) throw new Error(`${program.name} found no free port`)
  }
}

const start = async (
  program: Program,
  gateways: readonly string[],
  replace: Readonly<Record<string, string>>,
  port: number,
): Promise<Balancer | undefined> => {
  const { name, file, listen, log, smaller } = program
  const path = findProgram(name)
  if (path === undefined) throw new Error(`There is no ${name} here`)
  const directory = tempDirectory()
  // nginx reads and writes there as another user than the one that starts it.
  chmodSync(directory, 0o755)
  const logFile = join(directory, 'access.log')
  let text = forGateways(readFileSync(join(DEPLOY, file), 'utf8'), gateways)
  const replacements = {
    [listen]: listen.replace(/:?8080/, `127.0.0.1:${port}`),
    ...(log !== undefined && { [log]: log.replace('/dev/stdout', logFile) }),
    ...smaller,
    ...replace,
  }
  for (const [from, to] of Object.entries(replacements)) {
    if (!text.includes(from)) throw new Error(`${file} does not say "${from}"`)
    text = text.replaceAll(from, to)
  }
  const config = join(directory, file)
  writeFileSync(config, text)

  const child = spawn(path, program.argv(config, directory), {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
  })
  const closed = once(child, 'close')
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk
    })
  }
  onTestFinished(async () => {
    // At once, whatever it still serves: both take this as an order to end their workers, too.
    child.kill('SIGTERM')
    await closed
  })
  const output = () =>
    printed + (log !== undefined && existsSync(logFile) ? readFileSync(logFile, 'utf8') : '')
  const url = `http://127.0.0.1:${port}`
  const deadline = Date.now() + TEN_SECONDS_MS
  while (child.exitCode === null && Date.now() < deadline) {
    if (await listens(port)) return { url, output }
    await delay(20)
  }
  if (/address already in use/i.test(printed)) return undefined
  throw new Error(`${name} did not start:\n${printed}`)
}

/** The file with these in place of the three gateways it names; the lines of more are left out. */
const forGateways = (text: string, gateways: readonly string[]): string => {
  const named = new Set(text.match(/gateway-\d:8080/g))
  if (gateways.length === 0 || gateways.length > named.size) {
    throw new Error(`the file names ${named.size} gateways, not ${gateways.length}`)
  }
  const hosts = new Map([...named].map((name, index) => [name, hostOf(gateways[index])]))
  return text
    .split('\n')
    .flatMap((line) => {
      const [name] = /gateway-\d:8080/.exec(line) ?? []
      if (name === undefined) return [line]
      const host = hosts.get(name)
      return host === undefined ? [] : [line.replace(name, host)]
    })
    .join('\n')
}

const hostOf = (url: string | undefined): string | undefined =>
  url === undefined ? undefined : new URL(url).host

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

/** A port that was free a moment ago: neither program can say which one it took. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port')
  return address.port
}

/** A Redis of its own for as long as the test takes. */
export const startRedisFor = async (): Promise<string> => {
  const path = findProgram('redis-server')
  if (path === undefined) throw new Error('There is no redis-server here')
  const port = await freePort()
  const child = spawn(
    path,
    [
      ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      ...['--maxmemory-policy', 'noeviction'],
    ],
    { stdio: 'ignore', cwd: tempDirectory() },
  )
  const closed = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
  const deadline = Date.now() + TEN_SECONDS_MS
  while (!(await listens(port))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error('Redis did not start')
    await delay(20)
  }
  return `redis://127.0.0.1:${port}`
}
