import { startServer } from '../server.ts'
import type { Peer } from './programs.ts'

/** Starts a peer that is a Node program of this folder, in front of an origin. */
export const startNodePeer = (
  file: string,
  origin: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Peer> => startServer(`peers/${file}.mjs`, { ORIGIN: origin, ...env })
