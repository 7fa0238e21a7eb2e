import { expect, it } from 'vitest'
import { createRecorder } from '../helpers/fleet/checking/record.ts'
import { recordStalls } from '../helpers/fleet/checking/stalls.ts'

// Regression: a busy machine made a replica lose Redis before the fault of the schedule did, and the
// checker took the call that it had made then for none.
it('a machine that stalls is recorded as a fault that halts replicas and may cost them Redis', async () => {
  const recorder = createRecorder()
  recordStalls(recorder)
  const until = performance.now() + 150
  while (performance.now() < until);
  await expect.poll(() => recorder.disturbances.length).toBe(1)
  expect(recorder.disturbances[0]?.effects).toEqual(['blinds', 'halts'])
})
