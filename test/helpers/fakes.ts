import { type ExportRef, isFinal, keyOf, type Snapshot } from '../../src/exports/export.ts'
import type {
  Look,
  Observer,
  ResultRecord,
  Results,
  Turn,
  Update,
  Updates,
  Upstream,
} from '../../src/exports/ports.ts'

/** Fakes of the domain's ports. A test decides what they answer and sees what they were asked. */

export const DAY = 86_400_000

/** A snapshot that did not come from lemlist. A final one has its end of life a day later. */
export const snapshotOf = (state: string, observedAt: number, text = state): Snapshot => ({
  body: Buffer.from(JSON.stringify({ status: { status: state, text } })),
  state,
  version: `version of ${text}`,
  observedAt,
  ...(isFinal({ state }) && { endOfLife: observedAt + DAY }),
})

export interface FakeResults extends Results {
  readonly records: Map<string, ResultRecord>
  /** The names of the operations so far, in order. */
  readonly asked: string[]
  /** While this is set, every operation rejects with it. */
  failure: Error | undefined
}

/** `Results` that never forget a record. The first record wins, but a final beats a `timed-out`. */
export const fakeResults = (): FakeResults => {
  const records = new Map<string, ResultRecord>()
  const asked: string[] = []
  const get = (ref: ExportRef) => records.get(keyOf(ref))
  const fake: FakeResults = {
    records,
    asked,
    failure: undefined,
    async get(ref) {
      asked.push('get')
      if (fake.failure !== undefined) throw fake.failure
      return get(ref)
    },
    async getMany(refs) {
      asked.push('getMany')
      if (fake.failure !== undefined) throw fake.failure
      return refs.map(get)
    },
    async put(ref, record) {
      asked.push('put')
      if (fake.failure !== undefined) throw fake.failure
      const held = get(ref)
      if (held !== undefined && held.kind !== 'timed-out') return held
      records.set(keyOf(ref), record)
      return record
    },
    async newest() {
      asked.push('newest')
      if (fake.failure !== undefined) throw fake.failure
      return []
    },
  }
  return fake
}

/** Notes what the domain reports, such as `drift past-life` or `storeFailed results.get`. */
export const fakeObserver = (): Observer & { readonly told: string[] } => {
  const told: string[] = []
  return {
    told,
    drift: (kind) => void told.push(`drift ${kind}`),
    storeFailed: (operation) => void told.push(`storeFailed ${operation}`),
    scheduleFull: (exports) => void told.push(`scheduleFull ${exports}`),
    failed: (operation) => void told.push(`failed ${operation}`),
    detected: (ms) => void told.push(`detected ${ms}`),
  }
}

export interface FakeLook {
  readonly ref: ExportRef
  readonly turn: Turn
  /** The turns of the later callers who joined this look. */
  readonly hurried: Turn[]
  /** The look leaves the waiting line. */
  leave(): void
  answer(snapshot: Snapshot): void
  fail(error: Error): void
}

/** Every look waits in line until the test lets it leave, and then until the test answers it. */
export const fakeUpstream = (): Pick<Upstream, 'status'> & { readonly looks: FakeLook[] } => {
  const looks: FakeLook[] = []
  const status = (ref: ExportRef, turn: Turn): Look => {
    const answer = Promise.withResolvers<Snapshot>()
    const started = Promise.withResolvers<void>()
    const hurried: Turn[] = []
    let waiting = true
    const leave = () => {
      waiting = false
      started.resolve()
    }
    looks.push({
      ref,
      turn,
      hurried,
      leave,
      answer: (snapshot) => {
        leave()
        answer.resolve(snapshot)
      },
      fail: (error) => {
        leave()
        answer.reject(error)
      },
    })
    return {
      answer: answer.promise,
      started: started.promise,
      isWaiting: () => waiting,
      hurry: (sooner) => void hurried.push(sooner),
    }
  }
  return { looks, status }
}

export const fakeUpdates = (): Updates & { readonly published: Update[] } => {
  const published: Update[] = []
  return {
    published,
    publish: async (_, update) => void published.push(update),
    listen: () => {},
  }
}
