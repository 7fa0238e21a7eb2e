import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { VARIABLES } from '../../src/config/variables.ts'

/**
 * Figures of the documents, each beside the constant or the default that it comes from. A changed constant
 * makes the sentence false, and this test red.
 */

const read = (file: string): string =>
  readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

/** The value of a constant as the source has it: a product of numbers. */
const constant = (file: string, name: string): number => {
  const [, text] = new RegExp(`const ${name} = '?([\\d_. *]+)'?\\n`).exec(read(`src/${file}`)) ?? []
  if (text === undefined) throw new Error(`src/${file} has no figure ${name}`)
  // `1024 ** 3` becomes 1024 three times.
  const factors = text
    .replace(/(\d+) \*\* 3/, '$1 * $1 * $1')
    .replaceAll('_', '')
    .split('*')
  return factors.reduce((product, factor) => product * Number(factor), 1)
}

const variable = (name: keyof typeof VARIABLES): number => {
  const described = VARIABLES[name]
  if (!('default' in described)) throw new Error(`${name} has no default`)
  return Number(described.default)
}

const count = (value: number): string => value.toLocaleString('en').replaceAll(',', ' ')
const seconds = (ms: number): string => count(ms / 1_000)
const kib = (bytes: number): string => `${bytes / 1_024} KiB`
const mib = (bytes: number): string => `${bytes / 1_024 ** 2} MiB`

const client = read('src/client/client.js')
const calls = variable('LEMLIST_RATE_LIMIT') - variable('LEMLIST_RATE_RESERVE')
const timeoutMs = variable('LEMLIST_TIMEOUT_MS')
const youngS =
  (constant('exports/following/poll-policy.ts', 'YOUNG_INTERVALS') * variable('POLL_INTERVAL_MS')) /
  1_000
const bound = (name: string): string => count(constant('store/tracked.ts', name))

const FIGURES: readonly (readonly [document: string, sentence: string])[] = [
  [
    'README.md',
    `lemlist allows ${variable('LEMLIST_RATE_LIMIT')} calls in ${seconds(variable('LEMLIST_RATE_WINDOW_MS'))} seconds; the gateway uses ${calls} of them`,
  ],
  [
    'README.md',
    `so that it can be read: ${Math.round(client.length / 1_024)} KiB, compressed to ${Math.round(gzipSync(client, { level: 9 }).length / 1_024)} KiB`,
  ],
  ['README.md', 'one module without dependencies: under 6.5 KiB minified'],
  [
    'README.md',
    `status that is younger than ${seconds(constant('exports/reading/cache.ts', 'SHORT_LIFE_MS'))} seconds`,
  ],
  [
    'README.md',
    `finished status until the file expires, ${variable('FILE_TTL_MS') / 3_600_000} hours after`,
  ],
  [
    'docs/api.md',
    `\`ttl\` | seconds, 1 to ${constant('access/ticket-request.ts', 'MAX_TTL_S')}; default ${constant('access/ticket-request.ts', 'DEFAULT_TTL_S')}`,
  ],
  [
    'docs/api.md',
    `at least one, at most ${constant('access/ticket-request.ts', 'MAX_TARGETS')} in all`,
  ],
  ['docs/api.md', `of these at most ${constant('http/status/freshness.ts', 'LONGEST_FRESH_S')}`],
  [
    'docs/api.md',
    `An N\nabove ${constant('http/status/preference.ts', 'LONGEST_WAIT_S')} counts as ${constant('http/status/preference.ts', 'LONGEST_WAIT_S')}`,
  ],
  [
    'docs/api.md',
    `younger than ${youngS} seconds, then less and less often, down to every ${seconds(variable('POLL_MAX_INTERVAL_MS'))} seconds`,
  ],
  [
    'docs/api.md',
    `${seconds(variable('POLL_FIRST_MS'))} second after the export became known as pending, then every ${seconds(variable('POLL_INTERVAL_MS'))} seconds`,
  ],
  ['docs/api.md', `gave up on it after ${variable('EXPORT_TTL_MS') / 3_600_000} hours`],
  [
    'docs/api.md',
    `after twice the time at each failure, up to ${seconds(constant('exports/following/poll-policy.ts', 'LONGEST_BACK_OFF_MS'))} seconds`,
  ],
  ['docs/api.md', `longer than ${(timeoutMs * 0.5 * 0.85) / 1_000} s`],
  [
    'docs/api.md',
    `waits up to ${seconds(constant('http/events/opening.ts', 'FIRST_READ_MS'))} seconds for its first look`,
  ],
  [
    'docs/api.md',
    `takes nothing for ${seconds(constant('http/events/streams.ts', 'STUCK_MS'))} seconds`,
  ],
  ['docs/api.md', `every ${seconds(variable('SSE_HEARTBEAT_MS'))} seconds (\`SSE_HEARTBEAT_MS\`)`],
  [
    'docs/api.md',
    `it ignores up to ${kib(constant('http/server.ts', 'MAX_BODY_BYTES'))} of any type`,
  ],
  ['docs/api.md', `the body is over ${kib(constant('http/server.ts', 'MAX_BODY_BYTES'))} |`],
  ['docs/api.md', `the headers are over ${kib(constant('http/server.ts', 'MAX_HEADER_BYTES'))} |`],
  [
    'docs/api.md',
    `path and query are over ${kib(constant('http/request-guard.ts', 'MAX_URL_BYTES'))}, on the events routes and the file route over ${kib(constant('http/request-guard.ts', 'MAX_LONG_URL_BYTES'))} |`,
  ],
  [
    'docs/api.md',
    `${constant('lemlist/connection.ts', 'FILE_SOCKETS')} downloads are running on this replica`,
  ],
  [
    'docs/api.md',
    `the file is over ${constant('exports/downloading/files.ts', 'MAX_BYTES') / 1_024 ** 3} GiB`,
  ],
  [
    'docs/api.md',
    `takes no byte for ${seconds(constant('http/routes/file.ts', 'STUCK_MS'))} seconds, or the download takes ${constant('lemlist/client.ts', 'LONGEST_FILE_MS') / 60_000} minutes`,
  ],
  [
    'docs/api.md',
    `The gateway remembers a key for ${constant('exports/starting/starter.ts', 'REMEMBERED_MS') / 3_600_000} hours`,
  ],
  [
    'docs/api.md',
    `It follows up to ${bound('MAX_TRACKED')}\nexports at a time, and up to ${bound('MAX_UNCONFIRMED')} ids`,
  ],
  ['docs/operations.md', `gateway follows (${bound('MAX_TRACKED')})`],
  [
    'docs/operations.md',
    `up to ${mib(constant('telemetry/output.ts', 'MAX_BYTES'))} of lines wait`,
  ],
  [
    'docs/operations.md',
    `the gateway holds finished answers that have no room in memory (${mib(constant('store/sqlite/unstored.ts', 'MAX_BYTES'))})`,
  ],
  [
    'docs/operations.md',
    `Each replica runs ${constant('lemlist/connection.ts', 'FILE_SOCKETS')} downloads at once`,
  ],
]

describe('a figure of the documents', () => {
  it.each(FIGURES)('in %s is that of the code: %s', (document, sentence) => {
    // A sentence may break at any of its spaces.
    const words = (text: string): string => text.replace(/\s+/g, ' ')
    expect(words(read(document))).toContain(words(sentence))
  })
})
