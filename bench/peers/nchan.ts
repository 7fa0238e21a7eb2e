import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Peer, startProgram } from './programs.ts'

/** Streams with nchan, a module of nginx (Debian's package libnginx-mod-nchan). */

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'
/** nchan sets it by itself. */
const OWN = 'content-type'

const conf = (
  directory: string,
  port: number,
  headers: readonly (readonly [string, string])[],
): string => `
load_module ${MODULE};
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid ${directory}/pid;
error_log stderr;
events { worker_connections 19000; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  nchan_message_buffer_length 1;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /push {
      nchan_publisher;
      nchan_channel_id one;
    }
    location = /events {
      nchan_subscriber eventsource;
      nchan_eventsource_ping_interval 15;
      nchan_channel_id one;
      nchan_subscriber_first_message -1;
      ${headers
        .filter(([name]) => name !== OWN)
        .map(([name, value]) => `add_header ${name} '${value}';`)
        .join('\n      ')}
    }
  }
}
`

/** Resolves to undefined when nginx or the module is not installed. */
export const startNchan = async (
  headers: readonly (readonly [string, string])[],
): Promise<Peer | undefined> =>
  existsSync(MODULE)
    ? startProgram({
        name: 'nginx',
        argv: (directory, port) => {
          const file = join(directory, 'nginx.conf')
          writeFileSync(file, conf(directory, port, headers))
          return ['-p', directory, '-e', 'stderr', '-c', file]
        },
      })
    : undefined
