import { checkerCatches, soundFleetPasses } from '../helpers/fleet/proofs.ts'
import { lateReschedule } from '../helpers/fleet/scenes.ts'

soundFleetPasses('a reschedule that comes too late', lateReschedule)

checkerCatches(lateReschedule, {
  'a reschedule without the token': ['final-late', 'final-lost'],
})
