import { get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'

/**
 * Runs as a process of its own. Offers so many requests a second, whether or not they are answered:
 * half of them are new streams, half are reads of exports that the gateway does not know. Beside
 * them it reads a cached status and the health, and tells how long each took.
 */

const order = z.object({
  url: z.string(),
  /** The path of a status that the gateway has in memory. */
  cached: z.string(),
  perSecond: z.number(),
  /** Where the health is asked, on a new connection each time. */
  health: z.string(),
  runMs: z.number(),
})

/** A client leaves its stream after this time, milliseconds. */
const STREAM_MS = 500
/** Reads that wait for their answer. As many clients as that are not there. */
const MAX_READS = 4_000
/** With the reads these are fewer than the file descriptors that a process may have. */
const MAX_STREAMS = 9_000
const TICK_MS = 10
const PROBES = 16
const PROBE_EVERY_MS = 20
const HEALTH_EVERY_MS = 100
/** Kubernetes waits for a second by default. */
const HEALTH_TIMEOUT_MS = 1_000

process.once('message', async (value) => {
  const { url, cached, perSecond, runMs, health: healthUrl } = order.parse(value)
  const { hostname, port } = new URL(url)
  const seed = Math.random().toString(36).slice(2, 8)
  const counts = { offered: 0, opened: 0, shed: 0, answered: 0, refused: 0, failed: 0 }
  const open = new Set<Socket>()
  let isOver = false
  let made = 0

  const head = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n`
  const unknownPath = (end: string): string => {
    made += 1
    return `/campaigns/cam_Load${seed}/export/axp_${seed}x${made}/${end}`
  }
  const socketFor = (): Socket => {
    const socket = connect(Number(port), hostname)
    open.add(socket)
    socket.on('error', () => {
      counts.failed += isOver ? 0 : 1
    })
    socket.on('close', () => open.delete(socket))
    return socket
  }

  let streams = 0
  const openStream = (): void => {
    if (streams >= MAX_STREAMS) return
    streams += 1
    const socket = socketFor()
    socket.on('close', () => {
      streams -= 1
    })
    let told = false
    socket.on('data', (chunk) => {
      if (told) return
      told = true
      if (chunk.includes('"overloaded"')) counts.shed += 1
      else counts.opened += 1
      setTimeout(() => socket.destroy(), STREAM_MS)
    })
    socket.write(`${head(unknownPath('events'))}Accept: text/event-stream\r\n\r\n`)
  }

  const idle: Socket[] = []
  let reading = 0
  const readOne = (): void => {
    if (reading >= MAX_READS) return
    reading += 1
    const known = idle.pop()
    const socket = known ?? socketFor()
    if (known === undefined) {
      socket.on('data', (chunk) => {
        if (!chunk.includes('HTTP/1.1 ')) return
        reading -= 1
        if (chunk.includes('"overloaded"')) counts.refused += 1
        else counts.answered += 1
        idle.push(socket)
      })
      socket.on('close', () => {
        const index = idle.indexOf(socket)
        if (index >= 0) idle.splice(index, 1)
        else reading -= 1
      })
    }
    socket.write(`${head(unknownPath('status'))}\r\n`)
  }

  /** One request after the other on one connection. */
  const readCached = (times: number[]): void => {
    const socket = socketFor()
    let at = 0
    const ask = (): void => {
      if (isOver) return
      at = performance.now()
      socket.write(`${head(cached)}\r\n`)
    }
    socket.once('connect', ask)
    socket.on('data', (chunk) => {
      if (!chunk.includes('HTTP/1.1 ')) return
      times.push(chunk.includes('HTTP/1.1 200') ? performance.now() - at : Number.POSITIVE_INFINITY)
      setTimeout(ask, PROBE_EVERY_MS)
    })
  }

  const askHealth = async (times: number[]): Promise<void> => {
    while (!isOver) {
      const at = performance.now()
      const isGood = await new Promise<boolean>((resolve) => {
        get(healthUrl, { agent: false, timeout: HEALTH_TIMEOUT_MS }, (answer) => {
          answer.resume()
          resolve(answer.statusCode === 200)
        })
          .on('timeout', () => resolve(false))
          .on('error', () => resolve(false))
      })
      if (!isOver) times.push(isGood ? performance.now() - at : Number.POSITIVE_INFINITY)
      await delay(HEALTH_EVERY_MS)
    }
  }

  const reads: number[] = []
  const health: number[] = []
  for (let count = 0; count < PROBES; count += 1) readCached(reads)
  void askHealth(health)
  const from = performance.now()
  const ticker = setInterval(() => {
    const due = Math.floor(((performance.now() - from) / 1_000) * perSecond)
    for (; counts.offered < due; counts.offered += 1) {
      if (counts.offered % 2 === 0) openStream()
      else readOne()
    }
  }, TICK_MS)
  setTimeout(() => {
    isOver = true
    clearInterval(ticker)
    const offeredPerSecond = (counts.offered * 1_000) / (performance.now() - from)
    for (const socket of open) socket.destroy()
    process.send?.({ ...counts, offeredPerSecond, reads: tell(reads), health: tell(health) }, () =>
      process.exit(),
    )
  }, runMs)
})

const tell = (times: readonly number[]) => {
  // Those that failed took for ever.
  const sorted = times.filter(Number.isFinite).toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? -1
  return {
    count: sorted.length,
    failed: times.length - sorted.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  }
}
