import { describe, expect, it } from 'vitest'
import {
  endOfLife,
  isFinal,
  isPending,
  keyOf,
  type Observed,
  type Snapshot,
  supersedes,
} from '../../../src/exports/export.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const DAY = 86_400_000

const said = (state: string, observedAt = NOW) => ({
  body: Buffer.from(state),
  state,
  version: state,
  observedAt,
})

const here = (snapshot: Snapshot): Observed => ({ snapshot, from: 'here' })
const elsewhere = (snapshot: Snapshot): Observed => ({ snapshot, from: 'elsewhere' })

describe('a state', () => {
  it.each([
    ['done', true, false],
    ['error', true, false],
    ['pending', false, true],
    ['queued', false, false],
    ['Done', false, false],
    ['', false, false],
  ])('%j is final: %s, pending: %s', (state, final, pending) => {
    expect([isFinal({ state }), isPending({ state })]).toEqual([final, pending])
  })
})

describe('a key', () => {
  it('differs by account, campaign and export', () => {
    const ref = { account: 'a', campaignId: 'cam_1', exportId: 'axp_1' }
    const others = [{ account: 'b' }, { campaignId: 'cam_2' }, { exportId: 'axp_2' }]
    const keys = [ref, ...others.map((other) => ({ ...ref, ...other }))].map(keyOf)
    expect(new Set(keys).size).toBe(4)
  })
})

describe('supersedes', () => {
  it.each([
    ['the first status', said('pending'), undefined, true],
    ['a later pending', said('pending', NOW + 1), said('pending'), true],
    ['a pending of the same moment', said('pending'), said('pending'), true],
    ['an earlier pending', said('pending', NOW - 1), said('pending'), false],
    ['a final after a pending', said('done', NOW - 1), said('pending'), true],
    ['a final after an undocumented state', said('error', NOW - 1), said('queued'), true],
    ['a pending after a final', said('pending', NOW + 1), said('done'), false],
    ['an undocumented state after a final', said('queued', NOW + 1), said('error'), false],
    ['a second final', said('error', NOW + 1), said('done'), false],
  ])('decides rightly for %s', (_, next, previous, wins) => {
    const decide = (one: typeof here, other: typeof here): boolean =>
      supersedes(one(next), previous && other(previous), NOW + 2)
    expect(decide(elsewhere, elsewhere)).toBe(wins)
    expect(decide(elsewhere, here)).toBe(wins)
    // Regression: an answer of this replica replaced whatever another one had told, even newer ones.
    expect(decide(here, elsewhere)).toBe(wins)
  })

  it.each([
    ['an earlier pending', said('pending', NOW - 1), said('pending'), true],
    ['a pending after a final', said('pending', NOW + 1), said('done'), false],
  ])('decides by the order of the calls on one replica for %s', (_, next, previous, wins) => {
    expect(supersedes(here(next), here(previous), NOW + 2)).toBe(wins)
  })

  it.each([
    ['that left when the other answer had come', 0, true],
    ['that left before the other answer came', -1, false],
  ])('takes a look %s: %s', (_, askedMs, wins) => {
    const next = { ...said('pending', NOW + 500), askedAt: NOW + askedMs }
    const previous = { ...said('pending'), askedAt: NOW - 400 }
    expect(supersedes(here(next), elsewhere(previous), NOW + 500)).toBe(wins)
    expect(supersedes(elsewhere(next), here(previous), NOW + 500)).toBe(wins)
    expect(supersedes(elsewhere(next), elsewhere(previous), NOW + 500)).toBe(wins)
    expect(supersedes(here(next), here(previous), NOW + 500)).toBe(true)
  })

  it('lets the same observation be told again', () => {
    const slow = { ...said('pending'), askedAt: NOW - 400 }
    expect(supersedes(here(slow), elsewhere(slow), NOW)).toBe(true)
  })

  it('does not compare the times when the previous snapshot lies in the future, after a clock was set back', () => {
    const [before, end] = [said('pending', NOW + 9), said('done', NOW + 9)]
    expect(supersedes(elsewhere(said('pending')), elsewhere(before), NOW)).toBe(true)
    expect(supersedes(here(said('pending')), elsewhere(before), NOW)).toBe(true)
    expect(supersedes(elsewhere(said('pending')), elsewhere(end), NOW)).toBe(false)
  })
})

describe('the end of an export’s life', () => {
  it('is a day after `endedAt`', () => {
    const ended = NOW - 1_000
    expect(endOfLife(new Date(ended).toISOString(), NOW, DAY)).toBe(ended + DAY)
    expect(endOfLife('2025-10-27T07:53:17.286Z', NOW, DAY)).toBe(1_761_551_597_286 + DAY)
  })

  it.each([
    ['absent', undefined],
    ['null', null],
    ['a number', NOW - 1_000],
    ['an object', { at: NOW }],
    ['empty', ''],
    ['a word', 'yesterday'],
    ['words with a year in them', 'export 2023'],
    ['a year alone', '2025'],
    ['not a day of the calendar', '2025-13-45T99:99:99Z'],
    ['in 1970', '1970-01-01T00:00:00.000Z'],
    ['before lemlist', '2017-12-31T23:59:59.999Z'],
    ['in the future', new Date(NOW + 1).toISOString()],
    ['far in the future', '9999-12-31T23:59:59.999Z'],
  ])('is a day after the status was seen when `endedAt` is %s', (_, endedAt) => {
    expect(endOfLife(endedAt, NOW, DAY)).toBe(NOW + DAY)
  })
})
