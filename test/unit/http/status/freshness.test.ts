import { describe, expect, it } from 'vitest'
import type { Reading } from '../../../../src/exports/reading/reader.ts'
import { freshnessOf } from '../../../../src/http/status/freshness.ts'

const HOUR_MS = 3_600_000
const OBSERVED_AT = 1_000_000

const snapshot = () => ({
  body: new Uint8Array(),
  state: 'done',
  version: 'v',
  observedAt: OBSERVED_AT,
})
const hit = (of = snapshot(), keptUntil = OBSERVED_AT + 2 * HOUR_MS): Reading => ({
  ...{ snapshot: of, firstSeenAt: OBSERVED_AT, how: 'hit', keptUntil },
})

describe('what is said of the age of a hit', () => {
  it('is the same in one second, and put together once in it', () => {
    const reading = hit()
    const first = freshnessOf(reading, OBSERVED_AT + 5_000)
    expect(first).toMatchObject({
      age: '5',
      cacheStatus: 'lemlist-gateway; hit; ttl=7195',
      cacheControl: 'private, max-age=3605',
    })
    expect(freshnessOf({ ...reading }, OBSERVED_AT + 5_000)).toBe(first)
  })

  it('changes with each of the two seconds that it tells', () => {
    const reading = hit(snapshot(), OBSERVED_AT + HOUR_MS + 500)
    const told = [0, 500, 501, 999, 1_000, 1_501].map((ms) => {
      const { age, cacheStatus } = freshnessOf(reading, OBSERVED_AT + ms)
      return [age, cacheStatus.split('ttl=')[1]]
    })
    expect(told).toEqual([
      ...[
        ['0', '3600'],
        ['0', '3600'],
        ['0', '3599'],
        ['0', '3599'],
      ],
      ...[
        ['1', '3599'],
        ['1', '3598'],
      ],
    ])
  })

  it('is not mixed up with what is said of another snapshot, or of the same one kept otherwise', () => {
    const [one, other] = [snapshot(), { ...snapshot(), observedAt: OBSERVED_AT - 7_000 }]
    const now = OBSERVED_AT + 1_000
    const age = (of: typeof one): string => freshnessOf(hit(of), now).age
    expect([age(one), age(other), age(one)]).toEqual(['1', '8', '1'])
    expect(freshnessOf({ ...hit(one), how: 'miss' }, now).cacheStatus).toBe(
      'lemlist-gateway; fwd=miss; stored',
    )
    expect(freshnessOf({ ...hit(one), keptUntil: undefined }, now).cacheControl).toBe('no-store')
    expect(freshnessOf(hit(one, now + 2_000), now).cacheControl).toBe('private, max-age=3')
  })
})
