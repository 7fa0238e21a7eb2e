import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, chmodSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { freePort } from './free-port.ts'
import { tempDirectory } from './process.ts'

/**
 * Starts the load balancers of `deploy/` as real programs. They read the files of `deploy/`; only
 * addresses, the log's path and the largest limits are replaced.
 */

export interface Program {
  readonly name: string
  /** The file in `deploy/`. */
  readonly file: string
  /** How the file says where the program listens, and where it logs. */
  readonly listen: string
  readonly log: string | undefined
  /** Settings that are too large for a test machine, each with the one that replaces it. */
  readonly smaller: Readonly<Record<string, string>>
  argv(config: string, directory: string): readonly string[]
}

/** What is needed to start a program with a configuration of the test's own. */
export interface Startable extends Pick<Program, 'name' | 'file' | 'argv'> {
  /** Variables for a program that would otherwise write into the home of the user. */
  readonly env?: (directory: string) => Readonly<Record<string, string>>
}

export const NGINX: Program = {
  name: 'nginx',
  file: 'nginx.conf',
  listen: 'listen 8080;',
  // nginx opens /dev/stdout by its name. That fails here, because stdout of the child is a pipe.
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

export const HAPROXY: Program = {
  name: 'haproxy',
  file: 'haproxy.cfg',
  listen: 'bind :8080',
  log: undefined,
  smaller: { 'maxconn 25000': 'maxconn 2000' },
  argv: (config) => ['-db', '-f', config],
}

/** The path of a program. Debian keeps servers in a folder that only root has on its `PATH`. */
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
  /** Everything that the program has printed or logged so far. */
  readonly output: () => string
}

export interface BalancerOptions {
  /** More replacements in the file. @throws when the file does not contain one of these texts */
  readonly replace?: Readonly<Record<string, string>>
}

/**
 * Starts a load balancer in front of these gateways; there may be fewer of them than the file
 * names. The load balancer ends with the test.
 */
export const startBalancer = (
  program: Program,
  gateways: readonly string[],
  { replace = {} }: BalancerOptions = {},
): Promise<Balancer> =>
  startWith(program, (port, logFile) => {
    const { file, listen, log, smaller } = program
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
    return text
  })

/**
 * Starts a program with a configuration of the test's own. The program ends with the test.
 *
 * @param configure makes the configuration for this port of 127.0.0.1 and this log file
 */
export const startWith = async (
  program: Startable,
  configure: (port: number, logFile: string) => string,
): Promise<Balancer> => {
  // Neither program can choose a port itself and tell it.
  const port = await freePort()
  const { name, file } = program
  const path = findProgram(name)
  if (path === undefined) throw new Error(`There is no ${name} here`)
  const directory = tempDirectory()
  // The workers of nginx run as another user than the one that starts nginx.
  chmodSync(directory, 0o755)
  const logFile = join(directory, 'access.log')
  const config = join(directory, file)
  writeFileSync(config, configure(port, logFile))

  const child = spawn(path, program.argv(config, directory), {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
    env: { ...process.env, ...program.env?.(directory) },
  })
  const closed = once(child, 'close')
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk
    })
  }
  onTestFinished(async () => {
    // Both programs end their workers at SIGTERM and do not wait for open connections.
    child.kill('SIGTERM')
    await closed
  })
  const output = () => printed + (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '')
  const url = `http://127.0.0.1:${port}`
  const deadline = Date.now() + TEN_SECONDS_MS
  while (child.exitCode === null && Date.now() < deadline) {
    if (await listens(port)) return { url, output }
    await delay(20)
  }
  throw new Error(`${name} did not start:\n${printed}`)
}

/** Puts these gateways into the places that the file names, and drops the lines of other places. */
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

/** Starts a Redis for this test alone; it ends with the test. Resolves to its URL. */
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
