import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * How many connections may wait in the kernel for accept(2). Thousands of clients may reconnect at
 * once.
 */
const BACKLOG = 4_096

/** Opens the port. Resolves to the URL by which callers on this machine reach the gateway. */
export const listen = async (
  server: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> => {
  await server.listen({ host, port, backlog: BACKLOG })
  return urlOf(host, server.server.address())
}

const urlOf = (host: string, address: AddressInfo | string | null): string => {
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${port}`
}
