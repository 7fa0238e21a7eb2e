import { configure } from '../helpers/redis-away.ts'
import { describeOutage } from './redis-outage-contract.ts'

describeOutage({
  name: 'takes no writes',
  lastsMs: 2_000,
  begin: (_, client) => client.sendCommand(['REPLICAOF', '127.0.0.1', '1']),
  end: (_, client) => client.sendCommand(['REPLICAOF', 'NO', 'ONE']),
})

describeOutage({
  name: 'is full',
  lastsMs: 2_000,
  begin: (_, client) => configure(client, 'maxmemory', '1mb'),
  end: (_, client) => configure(client, 'maxmemory', '0'),
})
