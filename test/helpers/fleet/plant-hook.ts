import fs from 'node:fs'
import { registerHooks, syncBuiltinESMExports } from 'node:module'
import { isPlantName, PLANTS, type Plant, planted } from './plants.ts'

/** A gateway loads this file first, by `--import`. It plants the bug that its query names. */
const name = new URL(import.meta.url).searchParams.get('bug')
if (!isPlantName(name)) throw new Error(`no such bug: ${name}`)
const plants: readonly Plant[] = PLANTS[name]
const waiting = new Set(plants)

const plant = (path: string, text: string): string => {
  const changed = planted(plants, path, text)
  for (const one of waiting) if (path.endsWith(one.file)) waiting.delete(one)
  if (changed !== text && waiting.size === 0) process.stdout.write(`planted: ${name}\n`)
  return changed
}

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)
    const concerned = plants.some(({ file }) => url.endsWith(file))
    if (!concerned || loaded.source === undefined || loaded.source === null) return loaded
    const { source } = loaded
    const text = typeof source === 'string' ? source : new TextDecoder().decode(source)
    return { ...loaded, source: plant(url, text) }
  },
})

/** The gateway reads its Redis scripts as files, so the hook above does not see them. */
const { readFileSync } = fs
const read = (...args: Parameters<typeof readFileSync>) => {
  const content = readFileSync(...args)
  const [path] = args
  const isScript = path instanceof URL && plants.some(({ file }) => path.href.endsWith(file))
  return isScript && typeof content === 'string' ? plant(path.href, content) : content
}
// One function cannot have the overloads of the original. It returns what the original returns.
fs.readFileSync = read as typeof fs.readFileSync
syncBuiltinESMExports()
