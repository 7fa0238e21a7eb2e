import { checkerCatches, soundFleetPasses } from '../helpers/fleet/proofs.ts'
import { ordinaryLife } from '../helpers/fleet/scenes.ts'

soundFleetPasses('ordinary life', ordinaryLife)

checkerCatches(ordinaryLife, {
  'a lost publish of a final': ['final-late', 'final-lost'],
  'pending cached': ['out-of-date'],
})
