import { type Figures, measureReads, prepareHits } from './cached-gateway.ts'
import { median, print } from './processes.ts'

/**
 * Measures what `AUTH=keys` adds to a cached read. The difference is a few hundredths of a read, so both
 * gateways answer the same requests, with the key, at the same time and on the same core: whatever slows
 * the machine down meets both.
 */

const ROUNDS = 25
const TURN = { warmUpMs: 500, runMs: 2_000 }

export const measureKeys = async (): Promise<void> => {
  const { path, start, close } = await prepareHits()
  const [none, keys] = [await start('warn'), await start('warn', true)]
  const { headers } = keys
  const reads = ({ server }: typeof none): Promise<Figures> =>
    measureReads(server, path, { ...TURN, headers })
  const round = async () => {
    const [without, withKeys] = await Promise.all([reads(none), reads(keys)])
    return { none: without.cpuUs, keys: withKeys.cpuUs }
  }
  await round()
  const rounds: { none: number; keys: number }[] = []
  while (rounds.length < ROUNDS) rounds.push(await round())
  await Promise.all([none.server.end(), keys.server.end()])
  await close()

  const more = rounds.map((one) => one.keys - one.none).toSorted((a, b) => a - b)
  const at = (share: number): string => (more[Math.floor(ROUNDS * share)] ?? 0).toFixed(1)
  print(`Cached GET, LOG_LEVEL=warn, medians of ${ROUNDS} rounds:`)
  print(`  AUTH=none: ${median(rounds.map((one) => one.none)).toFixed(1)} us of CPU each`)
  print(`  AUTH=keys: ${median(rounds.map((one) => one.keys)).toFixed(1)} us of CPU each`)
  print(
    `    more in the same round: ${at(0.5)} us (half of the rounds: ${at(0.25)} to ${at(0.75)})`,
  )
}
