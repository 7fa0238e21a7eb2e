import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { findSecret } from './secret-search.ts'

/** Everything that a gateway shows or keeps, searched for secrets. */

export interface Seen {
  /** Where it was seen and what it was. */
  readonly of: string
  readonly bytes: Uint8Array | string
}

const LINE_FEED = Buffer.from('\n')

/**
 * What was seen, in pieces that end at an empty line, and equal ones once: every answer with a document
 * has a head of its own and the same body. No form of a secret has an empty line in it.
 */
const piecesOf = (seen: readonly Seen[]): Set<Uint8Array | string> =>
  new Set(
    seen.flatMap(({ bytes }): readonly (Uint8Array | string)[] =>
      typeof bytes === 'string' ? bytes.split(/(?<=\r\n\r\n)/) : [bytes],
    ),
  )

/** What was found: where, which secret, and in which form. */
export const leaksIn = (
  seen: readonly Seen[],
  secrets: Readonly<Record<string, string>>,
): string[] => {
  // All of it is searched at once, which is fast. Only a find is worth the question where it was.
  const all = Buffer.concat([...piecesOf(seen)].flatMap((one) => [Buffer.from(one), LINE_FEED]))
  return Object.entries(secrets).flatMap(([name, secret]) =>
    findSecret(all, secret).length === 0
      ? []
      : seen.flatMap(({ of, bytes }) =>
          findSecret(bytes, secret).map((form) => `${of}: ${name}, ${form}`),
        ),
  )
}

export const filesIn = (directory: string): Seen[] =>
  readdirSync(directory).map((name) => ({
    of: `file ${name}`,
    bytes: readFileSync(join(directory, name)),
  }))

/**
 * Every key of a Redis, and every value as Redis would write it to disk. Redis must have been started
 * with `--rdbcompression no`, or a value could hide what it holds.
 */
export const everythingIn = async (url: string): Promise<Seen[]> => {
  const client = createClient({ url })
  await client.connect()
  try {
    const seen: Seen[] = []
    for await (const keys of client.scanIterator()) {
      for (const key of keys) {
        // Redis sends bytes, which are no UTF-8.
        const dump = await client.withTypeMapping({ 36: Buffer }).dump(key)
        seen.push({ of: `key ${key}`, bytes: key }, { of: `value of ${key}`, bytes: dump ?? '' })
      }
    }
    return seen
  } finally {
    client.destroy()
  }
}
