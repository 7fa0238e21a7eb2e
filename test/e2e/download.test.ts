import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createCsvFile } from '../../src/sandbox/csv-file.ts'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { filePath, openFile } from '../helpers/downloads.ts'
import { BOUNDLESS } from '../helpers/faults.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'

/** Downloads through a gateway in a process of its own, whose memory is looked at. */

const MIB = 1024 * 1024
const MOST_MORE_BYTES = 16 * MIB
/** What V8 takes once, however much is downloaded, is no part of it. With pieces left to the collector 54 MiB were. */
const WARM_UP_BYTES = 16 * MIB

const start = async () => {
  const lemlist = createLemlist({ apiKeys: ['download-key'], rateLimit: UNLIMITED })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const gateway = await spawnGateway({
    ...BOUNDLESS,
    LEMLIST_API_KEY: 'download-key',
    LEMLIST_BASE_URL: baseUrl,
    STORE_URL: 'memory:',
  })
  const add = (fileBytes: number) => {
    const ref = lemlist.add({ durationMs: 0, fileBytes })
    return { url: gateway.url + filePath(ref), exportId: ref.exportId, size: fileBytes }
  }
  return { gateway, add }
}

interface File {
  readonly url: string
  readonly exportId: string
  readonly size: number
}

const hashOfFile = ({ exportId, size }: File): string => {
  const hash = createHash('sha256')
  for (const chunk of createCsvFile(exportId, size).slice(0, size)) hash.update(chunk)
  return hash.digest('hex')
}

/** The hash of what came, read no faster than that. */
const hashOfDownload = async ({ url }: File, bytesPerSecond = Number.POSITIVE_INFINITY) => {
  const answer = await openFile(url)
  const hash = createHash('sha256')
  const began = performance.now()
  let bytes = 0
  for await (const chunk of answer) {
    hash.update(chunk)
    bytes += chunk.length
    const aheadMs = (bytes / bytesPerSecond) * 1_000 - (performance.now() - began)
    if (aheadMs > 0) await delay(aheadMs)
  }
  expect(answer.complete).toBe(true)
  return hash.digest('hex')
}

const residentBytes = ({ child }: GatewayProcess): number => {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
  if (kib === undefined) throw new Error('no VmRSS')
  return Number(kib) * 1024
}

/** By how much the process grew at most while that went on. */
const growthDuring = async (gateway: GatewayProcess, work: Promise<unknown>): Promise<number> => {
  const before = residentBytes(gateway)
  let most = before
  let looks = 0
  const look = setInterval(() => {
    looks += 1
    most = Math.max(most, residentBytes(gateway))
  }, 50)
  try {
    await work
  } finally {
    clearInterval(look)
  }
  expect(looks).toBeGreaterThan(10)
  return most - before
}

describe.skipIf(process.platform !== 'linux')('a download', () => {
  it('of 256 MiB at full speed comes whole and takes at most 16 MiB', async () => {
    const { gateway, add } = await start()
    await hashOfDownload(add(WARM_UP_BYTES))
    const file = add(256 * MIB)
    const downloading = hashOfDownload(file)
    const growth = await growthDuring(gateway, downloading)
    expect(growth).toBeLessThanOrEqual(MOST_MORE_BYTES)
    expect(await downloading).toBe(hashOfFile(file))
  })

  it('of 64 MiB by a reader of 16 MB/s comes whole and takes at most 16 MiB', async () => {
    const { gateway, add } = await start()
    await hashOfDownload(add(WARM_UP_BYTES))
    const file = add(64 * MIB)
    const downloading = hashOfDownload(file, 16_000_000)
    const growth = await growthDuring(gateway, downloading)
    expect(growth).toBeLessThanOrEqual(MOST_MORE_BYTES)
    expect(await downloading).toBe(hashOfFile(file))
  })
})

it('twenty downloads at once come whole', async () => {
  const { add } = await start()
  const files = Array.from({ length: 20 }, (_, nth) => add(3 * MIB + nth))
  const hashes = await Promise.all(files.map((file) => hashOfDownload(file)))
  expect(new Set(hashes).size).toBe(20)
  expect(hashes).toEqual(files.map(hashOfFile))
})
