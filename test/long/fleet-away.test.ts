import {
  coldReads,
  comesBackElsewhere,
  readsTheEndElsewhere,
} from '../helpers/fleet/away-scenes.ts'
import { checkerCatches, soundFleetPasses } from '../helpers/fleet/proofs.ts'

soundFleetPasses('the return of a client to another replica without Redis', comesBackElsewhere)

checkerCatches(comesBackElsewhere, {
  'a returning client shown what was known before': ['turned-back'],
  'a stale answer without Redis': ['turned-back'],
})

// Regression: a client that had read the end on another replica was told `pending` when it came back,
// since the replica without Redis knew the id.
soundFleetPasses('the return of a client that has read the end elsewhere', readsTheEndElsewhere)

checkerCatches(readsTheEndElsewhere, {
  'a returning client shown what was known before': ['turned-back'],
})

soundFleetPasses('cold reads without Redis, and with Redis again', coldReads)

checkerCatches(coldReads, {
  'the reserve not spent after a switch': ['cold-refused'],
})
