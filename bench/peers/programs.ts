import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  chmodSync,
  constants,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import {
  cpuMsOf,
  freePort,
  inMemory,
  listening,
  pinnedServer,
  residentBytesOf,
} from '../processes.ts'

/** Starts caches that are programs of their own, each in front of an origin. */

export interface Peer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly pid: number
  /** CPU time so far of the process and of its children, milliseconds. */
  cpuMs(): number
  /** Resident memory of the process and of its children, bytes; of a Node program after a collection. */
  residentBytes(): Promise<number>
  end(): Promise<void>
}

/** The path of a program. Debian keeps servers in a folder that only root has on its `PATH`. */
const find = (name: string): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })

/** nginx writes what it has not passed on yet into a file, unless it keeps no copies. */
const COPIES = `
      proxy_cache one;
      proxy_cache_valid 200 1h;
      proxy_cache_lock on;
      proxy_ignore_headers Cache-Control;`
const NO_COPIES = 'proxy_max_temp_file_size 0;'

const nginxConf = (directory: string, port: number, origin: string, caching: string): string => `
worker_processes 1;
master_process off;
daemon off;
pid ${directory}/pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log ${directory}/access.log;
  keepalive_requests 1000000000;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/temp;
  proxy_cache_path ${directory}/cache keys_zone=one:10m;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${origin};
      ${caching}
    }
  }
}
`

const vcl = (origin: string): string => {
  const { hostname, port } = new URL(origin)
  return `
vcl 4.1;
backend default { .host = "${hostname}"; .port = "${port}"; }
sub vcl_backend_response { set beresp.ttl = 1h; set beresp.uncacheable = false; return (deliver); }
`
}

interface Program {
  readonly name: string
  readonly argv: (directory: string, port: number) => readonly string[]
}

/** Resolves to undefined when the program is not installed. */
export const startProgram = async ({ name, argv }: Program): Promise<Peer | undefined> => {
  const path = find(name)
  if (path === undefined) return undefined
  const directory = mkdtempSync(join(inMemory(), 'bench-peer-'))
  // Varnish reads its file as a user of its own.
  chmodSync(directory, 0o755)
  const port = await freePort()
  const [program = path, ...args] = [...pinnedServer(), path, ...argv(directory, port)]
  const child = spawn(program, args, { stdio: 'ignore' })
  const closed = once(child, 'close')
  await listening(child, port)
  const children = (): number[] =>
    readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
      .split(' ')
      .flatMap((pid) => Number(pid) || [])
  const all = (of: (pid: number) => number): number =>
    [Number(child.pid), ...children()].reduce((sum, pid) => sum + of(pid), 0)
  return {
    url: `http://127.0.0.1:${port}`,
    pid: Number(child.pid),
    cpuMs: () => all(cpuMsOf),
    residentBytes: async () => all(residentBytesOf),
    end: async () => {
      child.kill('SIGTERM')
      await closed
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Resolves to undefined when the program is not installed. */
export const startNginx = (
  origin: string,
  { keepsCopies = true } = {},
): Promise<Peer | undefined> =>
  startProgram({
    name: 'nginx',
    argv: (directory, port) => {
      const file = join(directory, 'nginx.conf')
      writeFileSync(file, nginxConf(directory, port, origin, keepsCopies ? COPIES : NO_COPIES))
      return ['-p', directory, '-e', 'stderr', '-c', file]
    },
  })

/** Varnish writes its log into memory, where nobody reads it. */
export const startVarnish = (origin: string): Promise<Peer | undefined> =>
  startProgram({
    name: 'varnishd',
    argv: (directory, port) => {
      const file = join(directory, 'default.vcl')
      writeFileSync(file, vcl(origin))
      return ['-F', '-a', `127.0.0.1:${port}`, '-f', file, '-n', directory, '-s', 'malloc,16m']
    },
  })
