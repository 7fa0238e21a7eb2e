import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../../../src/exports/export.ts'
import type { Word } from '../../../../src/exports/watching/topic.ts'
import type { Frames } from '../../../../src/http/events/frames.ts'
import { News } from '../../../../src/http/events/news.ts'
import { type Encoded, encode } from '../../../../src/http/events/wire.ts'
import { snapshotOf } from '../../../helpers/fakes.ts'

const refOf = (number: number): ExportRef => ({
  ...{ account: 'default', campaignId: 'cam_A', exportId: `axp_N${number}` },
})
const GONE: Word = { kind: 'gone', code: 'export-not-found', detail: 'unknown' }

/** News of so many exports, with frames that say what they are asked for. */
const newsOf = (count: number, padding = '') => {
  const parts: string[] = []
  const frames: Frames = {
    status: ({ version }, { exportId }, state) =>
      encode(`${exportId}:${version}:${state.id()}${padding}`),
    word: ({ code }, { exportId }) => encode(`${exportId}:${code}`),
    part: ({ ref, snapshot }) => {
      parts.push(ref.exportId)
      return snapshot === undefined ? '-' : '+'
    },
    stateId: (all) => all.join(''),
    end: () => Buffer.from('end'),
  }
  const news = new News({ frames, requestId: 'r' })
  const refs = Array.from({ length: count }, (_, number) => refOf(number))
  for (const ref of refs) news.admit(ref, false)
  const tell = (number: number, body: string, word?: Word): void =>
    news.note({ ref: refOf(number), snapshot: snapshotOf('pending', 1, body), word, heardAt: 0 })
  const texts = (events: readonly Encoded[] | undefined) =>
    events?.map(({ bytes }) => `${bytes}`) ?? []
  return { news, tell, texts, parts }
}

describe('the news of a stream', () => {
  it('name the state of all exports in each event, and make each part of it once a write', () => {
    const { news, tell, texts, parts } = newsOf(4)
    for (const number of [0, 1, 2]) tell(number, 'one')
    const ids = texts(news.next()).map((event) => event.split(':')[2])
    expect(ids).toEqual(['+---', '++--', '+++-'])
    // All four for the first id, and then the one that each further event has changed.
    expect(parts).toEqual(['axp_N0', 'axp_N1', 'axp_N2', 'axp_N3', 'axp_N1', 'axp_N2'])
  })

  it('tell only the newest of an export that changed again before it was told', () => {
    const { news, tell, texts } = newsOf(2)
    tell(0, 'one')
    tell(1, 'one')
    tell(0, 'two')
    const { version } = snapshotOf('pending', 1, 'two')
    const told = texts(news.next())
    expect(told.map((event) => event.split(':')[0])).toEqual(['axp_N0', 'axp_N1'])
    expect(told[0]).toContain(`:${version}:`)
    expect([news.isPending(), news.next()]).toEqual([false, undefined])
  })

  it('hold an export once, however often it changes before it is told', () => {
    const { news, tell, texts } = newsOf(1, 'x'.repeat(40_000))
    for (const body of ['one', 'two', 'three']) tell(0, body)
    // One event fills the write. A second entry would be left for the next one.
    expect(texts(news.next())).toHaveLength(1)
    expect(news.isPending()).toBe(false)
  })

  it('leave what is gone for a later write, behind what one write has no room for', () => {
    const { news, tell, texts } = newsOf(4, 'x'.repeat(20_000))
    tell(0, 'one', GONE)
    for (const number of [1, 2, 3]) tell(number, 'one')
    const names = (events: readonly string[]) => events.map((event) => event.split(':')[0])
    expect(names(texts(news.nextButGone()))).toEqual(['axp_N1', 'axp_N2'])
    expect(news.isPending()).toBe(true)
    const rest = texts(news.next())
    expect(names(rest)[0]).toBe('axp_N3')
    expect(rest.at(-1)).toBe('axp_N0:export-not-found')
    expect(news.isPending()).toBe(false)
  })

  it('forget an export that was dismissed before it was told', () => {
    const { news, tell, texts } = newsOf(2)
    tell(0, 'one')
    tell(1, 'one')
    news.dismiss(refOf(0))
    expect(texts(news.next()).map((event) => event.split(':')[0])).toEqual(['axp_N1'])
    expect(news.refs()).toEqual([refOf(1)])
  })
})
