import { Agent, fetch, ProxyAgent } from 'undici'
import type { Fetch } from './key-set.ts'

interface ProxyUse {
  readonly url: URL
  /** The value of `Proxy-Authorization`. */
  readonly authorization: string | undefined
}

/**
 * Creates the `fetch` that gets the keys of the OpenID provider, through the proxy if there is one.
 * Keys are fetched every ten minutes, so no connection is kept for the next time.
 */
export const createKeyFetch = (proxy?: ProxyUse | undefined): Fetch => {
  const shared = { pipelining: 0, connect: { rejectUnauthorized: true } }
  const dispatcher =
    proxy === undefined
      ? new Agent(shared)
      : new ProxyAgent({
          ...shared,
          uri: proxy.url.href,
          proxyTunnel: true,
          ...(proxy.authorization !== undefined && { token: proxy.authorization }),
        })
  return (url, init) => fetch(url, { ...init, dispatcher })
}
