import { checkerCatches, soundFleetPasses } from '../helpers/fleet/proofs.ts'
import { lossOfTheCount } from '../helpers/fleet/scenes.ts'

soundFleetPasses('the loss of the common count', lossOfTheCount)

checkerCatches(lossOfTheCount, {
  'the budget not awaited at the switch': ['window'],
})
