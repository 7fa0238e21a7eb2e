import type { Lemlist } from '../../../src/sandbox/lemlist.ts'
import { doneBody, pendingBody, statusBody } from '../status-bodies.ts'
import { keyOf, type Recorder } from './checking/record.ts'

/** The name of the account in a gateway with a single lemlist key. */
export const ACCOUNT = 'default'

/** What lemlist says of one export over time. The record contains all of it. */
export interface Story {
  readonly key: string
  readonly campaignId: string
  readonly exportId: string
  isOver(): boolean
  /** lemlist reports one more step of progress. */
  progress(): void
  finish(state?: 'done' | 'error'): void
  /** From now on lemlist takes so long to answer. */
  answerIn(ms: number): void
  /** lemlist answers the next question, with what it says now, only when the result is called. */
  holdNext(): () => void
  /** lemlist says pending again, even after a final status. No client may be shown that. */
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
    holdNext: () => {
      const { promise: gate, resolve } = Promise.withResolvers<void>()
      lemlist.script({ exportId: ids.exportId, times: 1 }, { body, gate })
      return () => resolve()
    },
    relapse: progress,
  }
}
