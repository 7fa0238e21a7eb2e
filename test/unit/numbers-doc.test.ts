import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { VARIABLES } from '../../src/config/variables.ts'
import { mostConnections } from '../../src/http/connection-limit.ts'
import { SOON_RETRY_MS } from '../../src/http/events/sse.ts'
import { budgetLimits, claimMs } from '../../src/lemlist/limits.ts'
import { shareOf } from '../../src/store/failover/budget.ts'
import { MAX_TRACKED, MAX_UNCONFIRMED } from '../../src/store/tracked.ts'
import { MAX_KEYS } from '../../src/store/work.ts'

/** Sentences with a number of the code. Those of docs/api.md and README.md are in doc-figures.test.ts. */
const read = (file: string): string =>
  readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

/** A constant that its file keeps to itself: a whole number, or a product of some. */
const constant = (file: string, name: string): number => {
  const pattern = new RegExp(`\\b${name}(?: =|:) ([\\d_]+(?: \\*\\*? [\\d_]+)*)`)
  const [, product] = pattern.exec(read(`src/${file}`)) ?? []
  if (product === undefined) throw new Error(`${file} has no number ${name}`)
  const [base = 0, ...rest] = product.split(/ \*\*? /).map((one) => Number(one.replaceAll('_', '')))
  return product.includes('**') ? base ** (rest[0] ?? 1) : rest.reduce((a, b) => a * b, base)
}

const byDefault = (name: keyof typeof VARIABLES): number => {
  const variable = VARIABLES[name]
  if (!('default' in variable)) throw new Error(`${name} has no default`)
  return Number(variable.default)
}

const seconds = (ms: number): string => String(ms / 1_000)
const mebibytes = (bytes: number): string => `${bytes / 1_024 ** 2} MiB`
/** The documents part thousands by a blank from 1 000 on. */
const parted = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ' ')

const stuckMs = constant('http/stuck-readers.ts', 'STUCK_MS')
const readersCutMs = 2 * stuckMs + constant('http/stuck-readers.ts', 'SWEEP_MS')
const streamStuckMs = constant('http/events/streams.ts', 'STUCK_MS')
const arrivalMs = constant('http/server.ts', 'requestTimeout')
const redisMs = constant('store/redis/client.ts', 'DEADLINE_MS')
const probeMs = constant('store/failover/store.ts', 'PROBE_MS')
const longestProbeMs = constant('store/failover/store.ts', 'LONGEST_PROBE_MS')
const calls = byDefault('LEMLIST_RATE_LIMIT') - byDefault('LEMLIST_RATE_RESERVE')
const share = (replicas: number): number =>
  shareOf(byDefault('LEMLIST_RATE_LIMIT'), byDefault('LEMLIST_RATE_RESERVE'), replicas)
const budget = budgetLimits({ calls, windowMs: byDefault('LEMLIST_RATE_WINDOW_MS') })

const SENTENCES: Readonly<Record<string, readonly string[]>> = {
  'docs/operations.md': [
    `at most ${parted(mostConnections(0))} connections and two for each of \`SSE_MAX_STREAMS\``,
    `is cut after ${seconds(stuckMs)} to ${seconds(readersCutMs)} s`,
    `a whole request after ${seconds(arrivalMs)} s is cut`,
    `its stream is cut ${seconds(streamStuckMs)} to`,
    `${calls} calls in ${seconds(budget.windowMs)} s over all replicas`,
    `as soon as there are ${constant('telemetry/output.ts', 'BATCH_BYTES') / 1_024} KiB`,
    `A stop waits at most ${seconds(constant('telemetry/output.ts', 'END_MS'))} s for stdout`,
    `up to ${mebibytes(constant('exports/reading/finals.ts', 'MEMORY_BYTES'))} of finished answers, and up to ${mebibytes(constant('exports/reading/latest.ts', 'MAX_BYTES'))} of the last`,
    `also holds up to ${mebibytes(constant('store/failover/results.ts', 'MAX_BYTES'))} of finished answers and ${mebibytes(constant('store/failover/idempotency.ts', 'MAX_BYTES'))} of outcomes`,
    `${parted(MAX_TRACKED)} exports are followed, or ${parted(MAX_UNCONFIRMED)} ids`,
    `than the gateway follows (${parted(MAX_TRACKED)})`,
    `remembers ${parted(MAX_KEYS)} idempotency keys`,
    `A file has at most ${constant('exports/downloading/files.ts', 'MAX_BYTES') / 1_024 ** 3} GiB`,
    `The SQLite file reaches ${constant('store/sqlite/store.ts', 'maxBytes') / 1_024 ** 3} GiB`,
    `One stream has at most ${constant('http/openapi/schemas.ts', 'MAX_EXPORTS')} exports`,
    `after ${seconds(claimMs(byDefault('LEMLIST_TIMEOUT_MS')))} s, or later with`,
    `${constant('http/events/drain.ts', 'DRAIN_MS_PER_STREAM')} ms apart and within ${seconds(constant('http/events/streams.ts', 'LONGEST_DRAIN_MS'))} s`,
    `to come back after ${seconds(SOON_RETRY_MS.min)} to ${seconds(SOON_RETRY_MS.max)} s`,
    `for up to ${seconds(constant('exports/reading/cache.ts', 'SHORT_LIFE_MS'))} s as \`detail=STALE\``,
    `nothing waits longer than ${redisMs} ms for it`,
    `tries every ${seconds(probeMs)} s; when Redis goes away again and again, up to every ${seconds(longestProbeMs)} s`,
    `Each replica holds \`SSE_MAX_STREAMS\` (${parted(byDefault('SSE_MAX_STREAMS'))}) streams`,
    `every \`SSE_HEARTBEAT_MS\` (${seconds(byDefault('SSE_HEARTBEAT_MS'))} s)`,
    `(\`SSE_MAX_AGE_MS\`, ${byDefault('SSE_MAX_AGE_MS') / 60_000} min)`,
    `After \`SHUTDOWN_TIMEOUT_MS\` (${seconds(byDefault('SHUTDOWN_TIMEOUT_MS'))} s)`,
    `with five replicas ${share(5)}, with ten ${share(10)}.`,
    `at most \`LEMLIST_RATE_RESERVE\` calls (${byDefault('LEMLIST_RATE_RESERVE')})`,
  ],
  'compose.yaml': [`SHUTDOWN_TIMEOUT_MS (${seconds(byDefault('SHUTDOWN_TIMEOUT_MS'))} s`],
  'compose.fleet.yaml': [`SHUTDOWN_TIMEOUT_MS (${seconds(byDefault('SHUTDOWN_TIMEOUT_MS'))} s)`],
  'deploy/haproxy.cfg': [
    `two heartbeats (${seconds(byDefault('SSE_HEARTBEAT_MS'))} s)`,
    `SSE_MAX_AGE_MS (${byDefault('SSE_MAX_AGE_MS') / 60_000} min)`,
  ],
  'deploy/nginx.conf': [
    `two heartbeats (${seconds(byDefault('SSE_HEARTBEAT_MS'))} s)`,
    `SSE_MAX_AGE_MS (${byDefault('SSE_MAX_AGE_MS') / 60_000} min)`,
  ],
  'docs/access.md': [
    `seconds, 1 to ${constant('access/ticket-request.ts', 'MAX_TTL_S')} | ${constant('access/ticket-request.ts', 'DEFAULT_TTL_S')} |`,
    `at most ${constant('access/ticket-request.ts', 'MAX_TARGETS')} together`,
    `Clocks may differ by ${constant('access/jwt.ts', 'TOLERANCE_S')} s`,
    `at most every ${seconds(constant('access/key-set.ts', 'COOLDOWN_MS'))} seconds, and after ${constant('access/key-set.ts', 'MAX_AGE_MS') / 60_000} minutes`,
    `it tries every ${seconds(constant('access/key-set.ts', 'FIRST_COOLDOWN_MS'))} seconds at most`,
    `\`CALLER_RATE_LIMIT\`, ${byDefault('CALLER_RATE_LIMIT')} |`,
    `\`SSE_MAX_STREAMS_PER_CALLER\`, ${byDefault('SSE_MAX_STREAMS_PER_CALLER')} |`,
  ],
  'SECURITY.md': [
    `a request must arrive within ${seconds(arrivalMs)} seconds`,
    `takes no byte is cut within ${seconds(readersCutMs)} seconds`,
    `that is at most ${byDefault('SSE_MAX_AGE_MS') / 60_000} minutes later`,
  ],
}

describe.each(Object.entries(SENTENCES))('the numbers of %s', (document, sentences) => {
  // A comment goes on in the next line behind a `#`.
  const text = read(document)
    .replace(/\n *# /g, ' ')
    .replace(/\s+/g, ' ')

  it.each(sentences)('are those of the code: %s', (sentence) => {
    expect(text.toLowerCase()).toContain(sentence.toLowerCase())
  })
})

describe('the algorithms of docs/access.md', () => {
  it('are those that a JWT may be signed with', () => {
    const [, list = ''] =
      /const ALGORITHMS = \[([\s\S]*?)\n\]/.exec(read('src/access/jwt.ts')) ?? []
    const algorithms = [...list.matchAll(/'(\w+)'/g)].map(([, name]) => name)
    expect(algorithms.length).toBeGreaterThan(5)
    const [, told = ''] =
      /signature must be ([\w, ]+)\./.exec(read('docs/access.md').replace(/\s+/g, ' ')) ?? []
    expect(told.split(/, | or /)).toEqual(algorithms)
  })
})
