import type { ExportRef } from '../../../src/exports/export.ts'
import type { Store, UpdateListener } from '../../../src/exports/ports.ts'

/** Makes the replicas of a simulation share one store, as real replicas share Redis. */
export const createSharing = (store: Store): { replica(): Store } => {
  const listeners: UpdateListener[] = []
  const watched: (() => readonly ExportRef[])[] = []
  return {
    replica: () => {
      const own = watched.push(() => []) - 1
      return {
        ...store,
        schedule: (account) => ({
          ...store.schedule(account),
          // A renewal must name everything that is watched in this store, so it names what all
          // replicas watch. No export of a simulation is watched on two replicas.
          renew: (watchedNow) => {
            watched[own] = watchedNow
            return store.schedule(account).renew(() => watched.flatMap((ofReplica) => ofReplica()))
          },
        }),
        updates: {
          publish: async (ref, update) => {
            for (const [index, listener] of listeners.entries()) {
              listener(ref, update, index === own ? 'here' : 'elsewhere')
            }
          },
          listen: (listener) => {
            listeners[own] = listener
          },
        },
      }
    },
  }
}
