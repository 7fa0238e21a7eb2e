import type { Lemlist } from '../../../src/sandbox/lemlist.ts'
import { doneBody, pendingBody, statusBody } from '../status-bodies.ts'
import { keyOf, type Recorder } from './record.ts'

/** The account of a gateway that holds one lemlist key. */
export const ACCOUNT = 'default'

/** What lemlist says of one export over time; every word of it is in the record. */
export interface Story {
  readonly key: string
  readonly campaignId: string
  readonly exportId: string
  isOver(): boolean
  /** One step on. */
  progress(): void
  finish(state?: 'done' | 'error'): void
  /** lemlist takes so long to answer from now on. */
  answerIn(ms: number): void
  /** lemlist says so from now on, whatever it said before, and nobody may believe it. */
  relapse(): void
}

export const tellStory = (lemlist: Lemlist, recorder: Recorder, number: number): Story => {
  const ids = { campaignId: 'cam_Fleet', exportId: `axp_Fleet${number}` }
  const key = keyOf(ACCOUNT, ids.campaignId, ids.exportId)
  let step = 0
  let delayMs = 0
  let body = ''
  let over = false
  const script = (): void =>
    lemlist.script({ exportId: ids.exportId }, { body, ...(delayMs > 0 && { delayMs }) })
  const say = (state: string, next: string): void => {
    body = next
    recorder.said.push({ key, body, state, at: performance.now() })
    script()
  }
  const progress = (): void => {
    step += 1
    say('pending', pendingBody({ progress: step, total: 1_000 }, ids))
  }
  progress()
  return {
    key,
    ...ids,
    isOver: () => over,
    progress,
    finish: (state = 'done') => {
      over = true
      say(state, state === 'done' ? doneBody({}, ids) : statusBody('error', {}, ids))
    },
    answerIn: (ms) => {
      delayMs = ms
      script()
    },
    relapse: progress,
  }
}
