import { get } from 'node:http'

/**
 * Asks the gateway of this container whether it is alive, and ends with 0 or 1. It is the HEALTHCHECK
 * of the image. `fetch` would not do: with NODE_USE_ENV_PROXY=1 it asks the proxy, which cannot
 * reach this machine by its loopback address.
 */

/** Docker gives the check 3 s, with the start of Node. */
const TIMEOUT_MS = 2_000
/** Where to ask a gateway that listens on all addresses. */
const OWN_ADDRESS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

const { HOST, PORT, OPS_PORT } = process.env
// Both defaults are those of the gateway. Its table of variables is not used here, because the check
// runs every few seconds and would load a library for it.
const host = (HOST || '127.0.0.1').replace(/^\[(.*)\]$/, '$1')

const fail = (reason: string): void => {
  process.exitCode = 1
  process.stderr.write(`The gateway does not answer as it should: ${reason}\n`)
}

const request = get({
  host: OWN_ADDRESS[host] ?? host,
  // Connections to the port of the operators wait in no line with those of callers. Port 0 is unknown.
  port: (OPS_PORT !== '0' && OPS_PORT) || PORT || '8080',
  path: '/health/live',
  // A gateway on loopback accepts this name, whichever address it listens on.
  headers: { host: 'localhost' },
  // An agent of its own knows no proxy. The global agent may have one from the environment.
  agent: false,
  timeout: TIMEOUT_MS,
})
request.on('response', (answer) => {
  answer.resume()
  if (answer.statusCode !== 200) fail(`status ${answer.statusCode}`)
})
request.on('timeout', () => request.destroy(new Error('it took too long')))
request.on('error', ({ message }) => fail(message))
