import { checkerCatches } from '../helpers/fleet/proofs.ts'
import { ordinaryLife } from '../helpers/fleet/scenes.ts'

checkerCatches(ordinaryLife, {
  'done turned to pending': ['step-back'],
  'an export claimed twice': ['polled-twice'],
  'an older snapshot accepted over a newer': ['step-back'],
})
