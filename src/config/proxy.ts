import { BlockList, isIP } from 'node:net'
import { Secret } from './secret.ts'

/** Decides from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` which way the calls to lemlist take. */

type Environment = Readonly<Record<string, string | undefined>>

export type Way =
  | { readonly kind: 'direct'; readonly about?: string }
  | {
      readonly kind: 'proxy'
      readonly about: string
      /** Without credentials. */
      readonly url: URL
      /** The value of `Proxy-Authorization`. It is a secret. */
      readonly authorization: string | undefined
    }
  | { readonly kind: 'fault'; readonly fault: string }

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

/** A proxy that is used. Its URL has no credentials. */
export interface ProxyUse {
  readonly url: URL
  /** The value of `Proxy-Authorization`. */
  readonly authorization: Secret | undefined
}

export const proxyOf = (way: Way): ProxyUse | undefined => {
  if (way.kind !== 'proxy') return undefined
  const { url, authorization } = way
  return { url, authorization: authorization === undefined ? undefined : new Secret(authorization) }
}

/** Programs know these variables in both cases. The one in lower case wins, as it does for curl. */
const find = (env: Environment, ...names: readonly string[]) => {
  for (const name of names.flatMap((upper) => [upper.toLowerCase(), upper])) {
    const value = env[name]?.trim()
    if (value !== undefined && value !== '') return { name, value }
  }
  return undefined
}

/**
 * Returns the way to lemlist, with a sentence about it for the operator. The sentence names the
 * proxy without its credentials. A proxy that is not used is not checked either: it may be there for
 * other programs.
 */
export const wayTo = (baseUrl: URL, env: Environment): Way => {
  const names = baseUrl.protocol === 'https:' ? ['HTTPS_PROXY', 'HTTP_PROXY'] : ['HTTP_PROXY']
  const found = find(env, ...names)
  if (found === undefined) return { kind: 'direct' }
  const excluding = find(env, 'NO_PROXY')
  if (excluding !== undefined && excludes(excluding.value, baseUrl)) {
    const about = `The gateway calls lemlist directly: ${excluding.name} excludes it from ${found.name}.`
    return { kind: 'direct', about }
  }
  const parsed = parse(found.value)
  if (parsed === undefined) return { kind: 'fault', fault: `${found.name}: ${FAULT}` }
  const about = `The gateway calls lemlist through the proxy ${parsed.url.origin} (${found.name}).`
  return { kind: 'proxy', about, ...parsed }
}

const FAULT =
  'must be http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before HOST if the proxy asks for them (percent-encode their special characters)'

const parse = (value: string) => {
  // curl and other programs also take a proxy without a scheme.
  const text = value.includes('://') ? value : `http://${value}`
  if (!URL.canParse(text)) return undefined
  const { protocol, host, username, password, pathname, search, hash } = new URL(text)
  const isBare = pathname === '/' && search === '' && hash === ''
  if (!(protocol in PORTS) || !isBare) return undefined
  const url = new URL(`${protocol}//${host}`)
  if (username === '' && password === '') return { url, authorization: undefined }
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return { url, authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
  } catch {
    return undefined
  }
}

/**
 * Whether `NO_PROXY` names the host of a URL. It is a list of names, addresses and blocks of
 * addresses, with or without a port, separated by commas or blanks. A name also stands for all names
 * below it, `*.example.com` only for those, and `*` for every host.
 */
const excludes = (noProxy: string, { protocol, hostname, port }: URL): boolean => {
  const host = bare(hostname)
  const hostPort = port === '' ? PORTS[protocol] : Number(port)
  return noProxy.split(/[\s,]+/).some((entry) => {
    const [, bracketed, plain = '', onPort] =
      /^(?:\[(.+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(entry) ?? []
    if (onPort !== undefined && Number(onPort) !== hostPort) return false
    return names(bare(bracketed ?? plain), host)
  })
}

const bare = (host: string): string =>
  host
    .replace(/^\[(.+)\]$/, '$1')
    .replace(/(.)\.$/, '$1')
    .toLowerCase()

const names = (entry: string, host: string): boolean => {
  if (entry === '') return false
  if (entry === '*') return true
  if (isIP(host) !== 0) return isWithin(entry, host)
  if (entry.startsWith('*.')) return host.endsWith(entry.slice(1))
  const name = entry.replace(/^\./, '')
  return host === name || host.endsWith(`.${name}`)
}

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** Whether an address is this one, or is in this block, such as 10.0.0.0/8. */
const isWithin = (entry: string, address: string): boolean => {
  const [network = '', bits] = entry.split('/')
  if (isIP(network) === 0) return false
  const list = new BlockList()
  try {
    if (bits === undefined) list.addAddress(network, familyOf(network))
    else list.addSubnet(network, Number(bits), familyOf(network))
  } catch {
    return false
  }
  return list.check(address, familyOf(address))
}
