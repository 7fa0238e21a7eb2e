import { prepareHits } from './cached-gateway.ts'
import { createCounter, hasCallgrind } from './callgrind.ts'
import { print } from './processes.ts'
import { type Server, startServer } from './server.ts'

/**
 * Counts the instructions of a cached status with everything on, beside those of a bare Fastify route. The count
 * is nearly the same on a quiet machine and on a busy one, where the time for the same work may double. So it
 * shows what a change of the code saves, where no clock can.
 */
export const measureInstructions = async (): Promise<void> => {
  if (!hasCallgrind()) return print('valgrind is not installed, so nobody can count instructions')
  const { path, start, close } = await prepareHits()
  const counters = { bare: createCounter(), full: createCounter() }
  const servers: Server[] = []
  try {
    const trial = await start('warn', true)
    await trial.server.end()
    const { server: full, key } = await start('info', true, true, counters.full.under)
    servers.push(full)
    const bare = await startServer(
      'bare.ts',
      { ANSWER: trial.answer },
      { under: counters.bare.under },
    )
    servers.push(bare)
    const headers = ['x-api-key', key]
    const [ofBare, ofFull] = await Promise.all([
      counters.bare.count(bare, path, headers),
      counters.full.count(full, path, headers),
    ])
    print(`bare Fastify route: ${ofBare.toFixed(0)} instructions a request`)
    print(`gateway: ${ofFull.toFixed(0)} instructions, ${(ofFull / ofBare).toFixed(2)} times`)
  } finally {
    for (const server of servers) await server.end()
    for (const counter of Object.values(counters)) counter.close()
    await close()
  }
}
