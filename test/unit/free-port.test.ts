import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  CLUSTER_OFFSET,
  FIRST_PORT,
  freePort,
  LAST_PORT,
  reservePort,
} from '../helpers/free-port.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'

const RANGE = '/proc/sys/net/ipv4/ip_local_port_range'

/** Tries to reserve these ports, in this order. */
const tryPorts = async (...ports: number[]): Promise<number> => {
  const { port, release } = await reservePort(() => {
    const next = ports.shift()
    if (next === undefined) throw new Error('all are taken')
    return next
  })
  onTestFinished(release)
  return port
}

// Regression: a test lost the port of a Redis that it had killed to another test, which listened on
// port 0. It could not start Redis again, or its clients found the Redis of that other test.
describe('a reserved port', () => {
  it.skipIf(!existsSync(RANGE))('is none that the system gives to whoever asks for any', () => {
    const [first = 0] = readFileSync(RANGE, 'utf8').trim().split(/\s+/).map(Number)
    expect(FIRST_PORT).toBeLessThan(LAST_PORT)
    expect(LAST_PORT).toBeLessThan(FIRST_PORT + CLUSTER_OFFSET)
    expect(LAST_PORT + CLUSTER_OFFSET).toBeLessThan(first)
  })

  it('is given to nobody else before it is released', async () => {
    const { port, release } = await reservePort()
    await expect(tryPorts(port, port)).rejects.toThrow('all are taken')
    await release()
    expect(await tryPorts(port)).toBe(port)
  })

  it('is none on which a program listens that is no test', async () => {
    const { port, release } = await reservePort()
    await release()
    const program = createServer().listen(port)
    onTestFinished(() => void program.close())
    await once(program, 'listening')
    const another = await reservePort()
    await another.release()
    expect(await tryPorts(port, another.port)).toBe(another.port)
  })

  it('is kept to the end of the test', async () => {
    await expect(tryPorts(await freePort())).rejects.toThrow('all are taken')
  })

  it.skipIf(withoutRedis)('is kept for a Redis that was killed', async () => {
    const { port, kill } = await startRedis()
    await kill()
    await expect(tryPorts(port)).rejects.toThrow('all are taken')
    expect(await startRedis({ port })).toMatchObject({ port })
  })
})
