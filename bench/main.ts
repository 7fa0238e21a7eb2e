import { availableParallelism, totalmem } from 'node:os'
import { measureCampaign } from './campaign.ts'
import { measureCollapse } from './collapse.ts'
import { measureDetect } from './detect.ts'
import { measureFile } from './file.ts'
import { measureFleet } from './fleet.ts'
import { measureFlood } from './flood.ts'
import { measureHits } from './hit.ts'
import { guardHits } from './hit-guard.ts'
import { measureInstructions } from './instructions.ts'
import { measureKeys } from './keys.ts'
import { measureLogs } from './logs.ts'
import { measureOverload } from './overload.ts'
import { measurePage } from './page.ts'
import { print } from './processes.ts'
import { measureSchedule } from './schedule.ts'
import { measureSlow } from './slow.ts'
import { measureStalls } from './stalls.ts'
import { measureStreams } from './streams.ts'
import { measureUnknown } from './unknown.ts'
import { measureWatched } from './watched.ts'

/**
 * `npm run bench` runs the benchmarks that do not take long. `npm run bench -- NAME` runs one
 * benchmark, such as `schedule` or `stalls`. No test checks these figures.
 */
const BENCHES = {
  hit: process.argv.includes('--quick') ? guardHits : measureHits,
  schedule: measureSchedule,
}
const LONG = {
  ...{ streams: measureStreams, detect: measureDetect, fleet: measureFleet },
  ...{ stalls: measureStalls, unknown: measureUnknown, watched: measureWatched },
  ...{ logs: measureLogs, flood: measureFlood, keys: measureKeys, slow: measureSlow },
  ...{ collapse: measureCollapse, file: measureFile, page: measurePage, overload: measureOverload },
  ...{ campaign: measureCampaign, instructions: measureInstructions },
}

const asked = process.argv.slice(2).filter((word) => word !== '--quick')
const all = { ...BENCHES, ...LONG }
const unknown = asked.filter((name) => !(name in all))
if (unknown.length > 0) throw new Error(`The benchmarks are ${Object.keys(all).join(', ')}.`)

const gibibytes = Math.round(totalmem() / 1_024 ** 3)
print(`Node ${process.version}, ${availableParallelism()} cores, ${gibibytes} GiB`)
const wanted = asked.length === 0 ? Object.keys(BENCHES) : asked
for (const [name, measure] of Object.entries(all)) if (wanted.includes(name)) await measure()
