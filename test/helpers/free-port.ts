import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * Ports for programs that must be told theirs. A port that the system chooses is somebody else's as
 * soon as it is closed: before the program listens on it, or while a killed server is started again.
 */

/** A port that no other test gets until it is released, also while nobody listens on it. */
export interface ReservedPort {
  readonly port: number
  release(): Promise<void>
}

/**
 * These lie below the ports that the system gives to whoever listens on port 0, or connects: from
 * 32 768 on Linux, and from 49 152 elsewhere. So does the port 10 000 above each, on which a Redis
 * Cluster listens, too.
 */
export const FIRST_PORT = 12_000
export const LAST_PORT = 21_999
export const CLUSTER_OFFSET = 10_000
const ATTEMPTS = 100

const anyPort = (): number => randomInt(FIRST_PORT, LAST_PORT + 1)

export const reservePort = async (choose: () => number = anyPort): Promise<ReservedPort> => {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = choose()
    const release = await lock(port)
    if (release === undefined) continue
    if (await isFree(port)) return { port, release }
    await release()
  }
  throw new Error('no port is free')
}

/** Reserves a port until the test ends. */
export const freePort = async (): Promise<number> => {
  const { port, release } = await reservePort()
  onTestFinished(release)
  return port
}

/**
 * The UDP port of the same number is the lock: no program of a test uses it, all processes of the
 * machine share it, and the system releases it when its process is killed.
 */
const lock = async (port: number): Promise<ReservedPort['release'] | undefined> => {
  const socket = createSocket('udp4').unref()
  const closed = once(socket, 'close').catch(() => {})
  const release = async (): Promise<void> => {
    socket.close()
    await closed
  }
  try {
    socket.bind({ port, address: '127.0.0.1', exclusive: true })
    await once(socket, 'listening')
    return release
  } catch {
    await release()
    return undefined
  }
}

/** A program that is no test may have the port, on any address. */
const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port)
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
