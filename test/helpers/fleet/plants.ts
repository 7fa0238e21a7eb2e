/**
 * Bugs that the checker must catch. Each one changes the text of a source file while a gateway
 * loads it, so `src/` contains no code for tests. The text must be in the file exactly once.
 * Otherwise the bug would not be planted, and the test would prove nothing.
 */
export interface Plant {
  /** The end of the file's path. */
  readonly file: string
  readonly text: string
  readonly instead: string
}

export const PLANTS = {
  'a lost publish of a final': [
    {
      file: 'src/store/redis/updates.ts',
      text: "listener(ref, update, 'here')\n",
      instead:
        "listener(ref, update, 'here')\n      if (update.kind === 'status' && update.snapshot.state !== 'pending') return\n",
    },
  ],
  'pending cached': [
    {
      file: 'src/exports/reading/cache.ts',
      text: 'if (known === undefined || isPending(known.snapshot)) return undefined\n    if (isFinal(',
      instead: 'if (known === undefined) return undefined\n    if (isFinal(',
    },
  ],
  'done turned to pending': [
    {
      file: 'src/exports/reading/cache.ts',
      text: 'isFinal(snapshot) ? await put(ref, snapshot) : (await stored([ref]))[0]',
      instead: 'isFinal(snapshot) ? await put(ref, snapshot) : undefined',
    },
    {
      file: 'src/exports/export.ts',
      // The times alone would still keep out a look that began before the final status came.
      text: 'if (isFinal(previous.snapshot)) return false',
      instead: 'if (isFinal(previous.snapshot)) return true',
    },
    {
      file: 'src/exports/watching/topic.ts',
      text: '  if (snapshot !== undefined && isFinal(snapshot)) return topic\n',
      instead: '',
    },
  ],
  'an export claimed twice': [
    {
      file: 'src/store/redis/schedule/claim.lua',
      text: 'row.dueAt = visibleAt',
      instead: '',
    },
  ],
  'a reschedule without the token': [
    {
      file: 'src/store/redis/schedule/look.lua',
      text: 'if not row or row.token ~= token then return 0 end',
      instead: 'if not row then return 0 end',
    },
  ],
  'the budget not awaited at the switch': [
    {
      file: 'src/store/failover/budget.ts',
      text: 'Math.max(quietUntil - performance.now(), pauseMs(account))',
      instead: 'pauseMs(account)',
    },
  ],
  'the reserve not spent after a switch': [
    {
      file: 'src/store/failover/budget.ts',
      text: 'isDue() && takeSpare(account) ? 0 : ',
      instead: '',
    },
  ],
  'a returning client shown what was known before': [
    {
      file: 'src/http/events/opening.ts',
      text: 'id !== undefined && account?.watch.isAlone() === true',
      instead: 'false',
    },
  ],
  'a stale answer without Redis': [
    {
      file: 'src/exports/reading/reader.ts',
      text: 'if (known === undefined || isAlone()) throw error',
      instead: 'if (known === undefined) throw error',
    },
  ],
  'an older snapshot accepted over a newer': [
    {
      file: 'src/exports/export.ts',
      text: 'return isSurelyLater(next.snapshot, previous.snapshot) || previous.snapshot.observedAt > now',
      instead: 'return true',
    },
  ],
  // This is no bug of the gateway: the bus promises nothing, so it may lose every message.
  'a bus that drops every message': [
    {
      file: 'src/store/redis/updates.ts',
      text: 'if (message.slice(ORIGIN_LENGTH) === CHECK) {',
      instead: 'if (message.length > 0) {',
    },
  ],
} as const satisfies Record<string, readonly Plant[]>

export type PlantName = keyof typeof PLANTS

/** What a gateway must import to have this bug. */
export const plantUrl = (plant: PlantName): string => {
  const url = new URL('./plant-hook.ts', import.meta.url)
  url.searchParams.set('bug', plant)
  return url.href
}

export const isPlantName = (name: string | null): name is PlantName =>
  name !== null && name in PLANTS

/**
 * Plants those of the bugs that belong into this file.
 * @throws when the file does not contain the text to replace exactly once
 */
export const planted = (plants: readonly Plant[], path: string, text: string): string =>
  plants
    .filter(({ file }) => path.endsWith(file))
    .reduce((source, plant) => {
      if (source.split(plant.text).length !== 2) {
        throw new Error(`${plant.file} does not hold exactly once: ${plant.text}`)
      }
      return source.replace(plant.text, () => plant.instead)
    }, text)
