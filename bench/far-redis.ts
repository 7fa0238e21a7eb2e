import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, listening } from './processes.ts'

/**
 * A Redis server that the benchmark starts for itself. It writes nothing to the disk, and its
 * answers arrive some milliseconds late.
 */
export interface FarRedis {
  readonly url: string
  /** The same server without the proxy. */
  readonly nearUrl: string
  end(): Promise<void>
}

/**
 * Starts a Redis behind a proxy that holds everything back in both directions.
 *
 * @param roundTripMs how long a command and its answer are held back together, milliseconds
 */
export const startFarRedis = async (roundTripMs: number): Promise<FarRedis> => {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'bench-redis-'))
  const where = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory]
  const child = spawn('redis-server', [...where, '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  })
  const closed = once(child, 'close')
  await listening(child, port)

  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const redis = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('error', () => {})
      from.on('data', (chunk) => setTimeout(() => to.write(chunk), roundTripMs / 2))
      from.on('close', () => to.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('the system gave no port')
  return {
    url: `redis://127.0.0.1:${address.port}`,
    nearUrl: `redis://127.0.0.1:${port}`,
    end: async () => {
      proxy.close()
      for (const socket of sockets) socket.destroy()
      child.kill('SIGKILL')
      await closed
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
