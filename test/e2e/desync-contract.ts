import { describe, expect, it } from 'vitest'
import { findProgram, type Program, startBalancer } from '../helpers/balancers.ts'
import { DESYNC_CASES, type DesyncCase } from '../helpers/desync-cases.ts'
import { startForwarder } from '../helpers/forwarder.ts'
import { logLines, startGateway } from '../helpers/gateway.ts'
import { exchange, idsIn } from '../helpers/wire.ts'

/**
 * Tests with real load balancers that they and the gateway never disagree about where a request
 * ends: as many requests behind the load balancer as in front of it.
 */

interface DesyncOptions {
  /** Settings of the file in `deploy/` that let a client be silent for long, with shorter ones. */
  readonly impatient: Readonly<Record<string, string>>
  /**
   * The id that the gateway answered, in a line of the load balancer's log. Undefined in other
   * lines, and in that of a request that no gateway answered.
   */
  idIn(line: string): string | undefined
}

const AT_ONCE = 40

/** Sends each case on a connection of its own. Resolves to what came back, by the case's id. */
const sendAll = async (
  url: string,
  cases: readonly DesyncCase[],
): Promise<ReadonlyMap<string, string>> => {
  const heard = new Map<string, string>()
  const todo = cases.map((one, index) => [`case${index}-`, one] as const)
  const sendSome = async (): Promise<void> => {
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      const [id, { bytes }] = next
      heard.set(id, await exchange(url, Buffer.from(bytes(id), 'latin1'), { deadlineMs: 30_000 }))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, sendSome))
  return heard
}

/** Turns the header into one that nobody knows. */
const withoutLengths = (bytes: Buffer): Buffer =>
  Buffer.from(bytes.toString('latin1').replaceAll(/^content-length/gim, 'content-weight'), 'latin1')

/** Registers the tests of one load balancer. */
export const describeDesync = (program: Program, { impatient, idIn }: DesyncOptions): void => {
  describe(`${program.name} in front of a gateway`, () => {
    if (findProgram(program.name) === undefined) {
      it.skipIf(process.env.CI !== 'true')(`is not tested without ${program.name}`, () => {
        expect.unreachable(`There is no ${program.name} here`)
      })
      return
    }

    /** Sends the cases. Resolves to the ids of the requests that each side has counted, sorted. */
    const count = async (cases: readonly DesyncCase[], alter?: (bytes: Buffer) => Buffer) => {
      const gateway = await startGateway()
      const between = await startForwarder(alter)
      between.aim(gateway.url)
      const balancer = await startBalancer(program, [between.url], { replace: impatient })
      const heard = await sendAll(balancer.url, cases)
      await gateway.close()
      const lines = logLines(gateway.logs()).filter(
        ({ msg, route }) => /request$/.test(String(msg)) && route !== '/health/ready',
      )
      const front = balancer.output().split('\n')
      return {
        heard,
        front: front.flatMap((line) => idIn(line) ?? []).toSorted(),
        /** A request that breaks off has a line without a status, and one that says its answer. */
        answered: lines
          .flatMap(({ status, requestId }) => (status === undefined ? [] : [String(requestId)]))
          .toSorted(),
        begun: new Set(lines.map(({ requestId }) => String(requestId))),
      }
    }

    it('finds the same requests in bytes that are meant to be read in two ways', async () => {
      const { heard, front, answered, begun } = await count(DESYNC_CASES)
      expect(front).toEqual(answered)
      // What was begun behind is what the front knows of, also where it broke off.
      expect(begun).toEqual(new Set(front))
      // No client gets the answer to another's request.
      for (const [id, text] of heard) {
        const foreign = idsIn(text).filter((found) => /^case/.test(found) && !found.startsWith(id))
        expect(foreign).toEqual([])
      }
      expect(heard.size).toBeGreaterThan(300)
      // Both kinds are there: second requests that both sides found, and others that both did not.
      expect(front.filter((id) => id.endsWith('-b')).length).toBeGreaterThan(50)
      expect(front.length).toBeLessThan(1.5 * heard.size)
    })

    it('would be seen to find others when the gateway overlooked a length', async () => {
      const asContent = DESYNC_CASES.filter(({ name }) => /^the second .* as /.test(name))
      const { front, answered } = await count(asContent, withoutLengths)
      expect(answered.length).toBeGreaterThan(front.length)
    })
  })
}
