import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../../../src/exports/export.ts'
import type { Change } from '../../../../src/exports/ports.ts'
import { createHub, type Hub } from '../../../../src/exports/watching/hub.ts'
import { isOver, type Topic } from '../../../../src/exports/watching/topic.ts'
import { snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const OTHER = { ...REF, exportId: 'axp_Other' }

const status = (state: string, observedAt = 1, text = state): Change => ({
  kind: 'status',
  snapshot: snapshotOf(state, observedAt, text),
})
const trouble = (
  code: 'upstream-timeout' | 'upstream-unavailable',
  detail = 'trouble',
): Change => ({
  kind: 'trouble',
  code,
  detail,
})
const gone = (code: 'export-timed-out' | 'export-not-found' | 'export-expired'): Change => ({
  kind: 'gone',
  code,
  detail: 'gone',
})

const wordsOf = ({ snapshot, word }: Topic): string =>
  [snapshot?.state, word?.code].filter((part) => part !== undefined).join(' + ')

/** A watcher that notes what it is told. */
const watcher = (hub: Hub, ref: ExportRef = REF) => {
  const told: string[] = []
  const subscriber = { changed: (topic: Topic) => void told.push(wordsOf(topic)) }
  const topic = hub.subscribe(ref, subscriber)
  return { told, topic, leave: () => hub.unsubscribe(ref, subscriber) }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a topic', () => {
  it('exists as long as somebody watches, and leaves nothing behind', () => {
    const hub = createHub()
    const one = watcher(hub)
    const other = watcher(hub)
    expect([hub.isWatched(REF), hub.isWatched(OTHER)]).toEqual([true, false])
    one.leave()
    expect(hub.isWatched(REF)).toBe(true)
    other.leave()
    other.leave()
    expect([hub.isWatched(REF), hub.topic(REF), hub.open()]).toEqual([false, undefined, []])
  })

  it('is not made by an update of an export that nobody watches', () => {
    const hub = createHub()
    hub.dispatch(REF, status('pending'), 'elsewhere')
    expect(hub.topic(REF)).toBeUndefined()
  })

  it('holds what is known for a watcher who joins later', () => {
    const hub = createHub()
    watcher(hub)
    hub.dispatch(REF, status('pending'), 'elsewhere')
    hub.dispatch(REF, trouble('upstream-timeout'), 'elsewhere')
    expect(wordsOf(watcher(hub).topic)).toBe('pending + upstream-timeout')
  })

  it('begins empty when somebody joins after all have left', () => {
    const hub = createHub()
    const one = watcher(hub)
    hub.dispatch(REF, status('pending'), 'elsewhere')
    one.leave()
    expect(wordsOf(watcher(hub).topic)).toBe('')
  })

  it('is open until the export is over', () => {
    const hub = createHub()
    watcher(hub)
    watcher(hub, OTHER)
    hub.dispatch(REF, status('done'), 'elsewhere')
    expect(hub.open().map(({ ref }) => ref)).toEqual([OTHER])
    hub.dispatch(OTHER, gone('export-timed-out'), 'elsewhere')
    expect(hub.open()).toEqual([])
  })

  it('notes the time of the last update, even when that update tells nothing new', () => {
    let time = 0
    const hub = createHub(() => time)
    watcher(hub)
    hub.dispatch(REF, status('pending', 1), 'elsewhere')
    time = 7
    hub.dispatch(REF, status('pending', 2), 'elsewhere')
    expect(hub.topic(REF)?.heardAt).toBe(7)
    time = 9
    hub.dispatch(REF, trouble('upstream-timeout'), 'elsewhere')
    time = 11
    hub.dispatch(REF, trouble('upstream-timeout'), 'elsewhere')
    expect(hub.topic(REF)?.heardAt).toBe(11)
  })
})

describe('a dispatch', () => {
  it.each<[string, Change[], string[]]>([
    [
      'a change of any field',
      [status('pending', 1, 'a'), status('pending', 2, 'b')],
      ['pending', 'pending'],
    ],
    ['the same bytes once', [status('pending', 1), status('pending', 2)], ['pending']],
    ['no older status', [status('pending', 2, 'b'), status('pending', 1, 'a')], ['pending']],
    [
      'a final status even when it is older',
      [status('pending', 2), status('done', 1)],
      ['pending', 'done'],
    ],
    [
      'no status after a final one',
      [status('done', 1), status('pending', 2), status('error', 3)],
      ['done'],
    ],
    ['no trouble after a final status', [status('error'), trouble('upstream-timeout')], ['error']],
    ['no end after a final status', [status('done'), gone('export-timed-out')], ['done']],
    [
      'trouble once per change of it',
      [
        trouble('upstream-timeout', 'one'),
        trouble('upstream-timeout', 'two'),
        trouble('upstream-unavailable'),
        trouble('upstream-timeout'),
      ],
      ['upstream-timeout', 'upstream-unavailable', 'upstream-timeout'],
    ],
    [
      'that a status ends trouble, even when it is the same status',
      [status('pending', 1), trouble('upstream-timeout'), status('pending', 2)],
      ['pending', 'pending + upstream-timeout', 'pending'],
    ],
    [
      'trouble again after a status ended it',
      [trouble('upstream-timeout'), status('pending'), trouble('upstream-timeout')],
      ['upstream-timeout', 'pending', 'pending + upstream-timeout'],
    ],
    [
      'an end after trouble',
      [trouble('upstream-timeout'), gone('export-timed-out')],
      ['upstream-timeout', 'export-timed-out'],
    ],
    [
      'no trouble after an end',
      [gone('export-timed-out'), trouble('upstream-timeout')],
      ['export-timed-out'],
    ],
    ['one end only', [gone('export-timed-out'), gone('export-expired')], ['export-timed-out']],
    [
      'a final status after an end, because it beats the end',
      [gone('export-timed-out'), status('done')],
      ['export-timed-out', 'done'],
    ],
    [
      'no pending status after a verdict',
      [gone('export-timed-out'), status('pending')],
      ['export-timed-out'],
    ],
    [
      'no pending status after an expiry',
      [gone('export-expired'), status('pending')],
      ['export-expired'],
    ],
    // Regression: while a many-exports stream held the topic, the export stayed unknown for others.
    [
      'a status of an export that was unknown before',
      [gone('export-not-found'), status('pending')],
      ['export-not-found', 'pending'],
    ],
  ])('tells %s', (_, updates, expected) => {
    const hub = createHub()
    const { told } = watcher(hub)
    for (const update of updates) hub.dispatch(REF, update, 'elsewhere')
    expect(told).toEqual(expected)
  })

  it('tells neither a watcher of another export nor one who has left', () => {
    const hub = createHub()
    const left = watcher(hub)
    const other = watcher(hub, OTHER)
    const stays = watcher(hub)
    left.leave()
    hub.dispatch(REF, status('pending'), 'elsewhere')
    expect([left.told, other.told, stays.told]).toEqual([[], [], ['pending']])
  })
})

describe('many watchers of one export', () => {
  it('are told in slices of 256, with time for other work in between', async () => {
    const hub = createHub()
    const crowd = Array.from({ length: 600 }, () => watcher(hub))
    hub.dispatch(REF, status('pending'), 'elsewhere')
    const toldSoFar = () => crowd.filter(({ told }) => told.length > 0).length
    const steps = [toldSoFar()]
    while (toldSoFar() < 600) {
      await turn()
      steps.push(toldSoFar())
    }
    expect(steps).toEqual([256, 512, 600])
  })

  it('all end with the newest status when it comes between slices, and are told no older one after it', async () => {
    const hub = createHub()
    const crowd = Array.from({ length: 600 }, () => watcher(hub))
    hub.dispatch(REF, status('pending'), 'elsewhere')
    await turn()
    hub.dispatch(REF, status('done', 2), 'elsewhere')
    for (let i = 0; i < 8; i += 1) await turn()
    const histories = new Set(crowd.map(({ told }) => [...new Set(told)].join(', ')))
    expect([...histories].sort()).toEqual(['done', 'pending, done'])
  })

  it('are all told something, however fast updates come', async () => {
    // Regression: each update began again with the first watcher, so the last ones heard nothing.
    const hub = createHub()
    const crowd = Array.from({ length: 600 }, () => watcher(hub))
    for (let i = 0; i < 12; i += 1) {
      hub.dispatch(REF, status('pending', i, `progress ${i}`), 'elsewhere')
      await turn()
    }
    expect(crowd.filter(({ told }) => told.length === 0)).toEqual([])
  })

  it('may leave while others are told', async () => {
    const hub = createHub()
    const crowd = Array.from({ length: 600 }, () => watcher(hub))
    hub.dispatch(REF, status('pending'), 'elsewhere')
    for (const { leave } of crowd.slice(300)) leave()
    await turn()
    await turn()
    expect(crowd.map(({ told }) => told.length)).toEqual([
      ...Array.from({ length: 300 }, () => 1),
      ...Array.from({ length: 300 }, () => 0),
    ])
  })
})

describe('an export', () => {
  it.each<[string, boolean]>([
    ['pending', false],
    ['queued', false],
    ['done', true],
    ['error', true],
  ])('that is %s is over: %s', (state, over) => {
    expect(isOver({ snapshot: snapshotOf(state, 1), word: undefined })).toBe(over)
  })

  it('of which nothing or only trouble is known is not over', () => {
    const word = { kind: 'trouble', code: 'upstream-timeout', detail: '' } as const
    expect(isOver({ snapshot: undefined, word: undefined })).toBe(false)
    expect(isOver({ snapshot: undefined, word })).toBe(false)
  })
})

describe('a status whose file is deleted by now', () => {
  const done = (observedAt: number, endOfLife: number): Change => ({
    kind: 'status',
    snapshot: { ...snapshotOf('done', observedAt), endOfLife },
  })
  const setUp = () => {
    const clock = { now: 1 }
    const hub = createHub(() => clock.now)
    const early = watcher(hub)
    hub.dispatch(REF, done(1, 100), 'here')
    return { clock, hub, early }
  }
  const seen = (hub: Hub) =>
    [watcher(hub).topic, hub.topic(REF)].map((topic) => topic && wordsOf(topic))

  it('is gone for whoever comes, and nobody who was told of it is told more', async () => {
    const { clock, hub, early } = setUp()
    clock.now = 99
    expect(seen(hub)).toEqual(['done', 'done'])
    clock.now = 100
    expect(seen(hub)).toEqual(['export-expired', 'export-expired'])
    await turn()
    expect(early.told).toEqual(['done'])
  })

  it('is shown when lemlist gives it all the same', () => {
    const { clock, hub, early } = setUp()
    clock.now = 200
    hub.dispatch(REF, done(200, 100), 'here')
    expect([seen(hub), early.told]).toEqual([['done', 'done'], ['done']])
  })

  it('does not come back to a client that comes with a doubt', () => {
    const { clock, hub } = setUp()
    clock.now = 100
    const confirmed: string[] = []
    const doubter = {
      changed: () => {},
      confirmed: (topic: Topic) => void confirmed.push(wordsOf(topic)),
    }
    hub.subscribe(REF, doubter)
    hub.doubt(REF, doubter, undefined)
    hub.dispatch(REF, status('pending', 100), 'here')
    expect(confirmed).toEqual(['export-expired'])
  })
})
