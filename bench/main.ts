import { availableParallelism, totalmem } from 'node:os'
import { measureHits } from './hit.ts'
import { print } from './processes.ts'
import { measureStreams } from './streams.ts'

/**
 * `npm run bench` runs both benchmarks. `npm run bench -- hit` or `-- streams` runs one. No test
 * checks these figures.
 */
const BENCHES = { hit: measureHits, streams: measureStreams }

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in BENCHES))
if (unknown.length > 0) throw new Error(`The benchmarks are ${Object.keys(BENCHES).join(' and ')}.`)

const gibibytes = Math.round(totalmem() / 1_024 ** 3)
print(`Node ${process.version}, ${availableParallelism()} cores, ${gibibytes} GiB`)
for (const [name, measure] of Object.entries(BENCHES)) {
  if (asked.length === 0 || asked.includes(name)) await measure()
}
