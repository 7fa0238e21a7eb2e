import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConfigError, loadConfig, Secret } from '../../../src/config/config.ts'
import { readSecretFile } from '../../../src/config/secret-files.ts'
import { unknownVariables } from '../../../src/config/unknown-variables.ts'
import { VARIABLES } from '../../../src/config/variables.ts'

const CANARY = 'CanaryInTheEnvironment'
const KEY = { LEMLIST_API_KEY: 'a-key' }

/** The faults of an environment; an empty list when there are none. */
const faultsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults
  }
}

const names = (faults: readonly string[]): string[] =>
  faults.map((fault) => fault.split(':', 1)[0] ?? '')

const keyFile = (content: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'key-file-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'key')
  writeFileSync(path, content)
  return path
}

describe('a configuration', () => {
  it('needs nothing but a key', () => {
    const config = loadConfig(KEY)
    expect(config.lemlist.apiKey?.reveal()).toBe('a-key')
    expect(config.storeUrl.reveal()).toBe('sqlite:data/gateway.sqlite')
    expect(config).toMatchObject({
      lemlist: {
        baseUrl: new URL('https://api.lemlist.com/api'),
        apiKeyFile: undefined,
        calls: 16,
        windowMs: 2_000,
        timeoutMs: 10_000,
      },
      host: '127.0.0.1',
      port: 8_080,
      loopback: true,
      poll: {
        firstMs: 1_000,
        intervalMs: 5_000,
        maxIntervalMs: 15_000,
        idleIntervalMs: 60_000,
      },
      sse: {
        heartbeatMs: 15_000,
        maxAgeMs: 600_000,
        maxStreams: 20_000,
        maxStreamsPerCaller: 1_000,
      },
      access: {
        auth: new Set(),
        file: undefined,
        jwt: undefined,
        ticketSecret: undefined,
        corsOrigins: [],
        callerRateLimit: 600,
      },
      exportTtlMs: 7_200_000,
      fileTtlMs: 86_400_000,
      drainDelayMs: 0,
      shutdownTimeoutMs: 25_000,
      docs: true,
      logLevel: 'info',
    })
  })

  it('cannot be changed', () => {
    expect(Object.isFrozen(loadConfig(KEY))).toBe(true)
  })

  it('treats an empty variable as unset, since compose files and .env make such variables', () => {
    const empty = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, '']))
    expect(loadConfig({ ...empty, ...KEY })).toEqual(loadConfig(KEY))
  })

  it('uses the documented default of every variable that is unset', () => {
    const defaults = Object.entries(VARIABLES).flatMap(([name, variable]) =>
      'default' in variable ? [[name, variable.default] as const] : [],
    )
    expect(defaults.length).toBeGreaterThan(5)
    expect(loadConfig({ ...Object.fromEntries(defaults), ...KEY })).toEqual(loadConfig(KEY))
  })

  it.each<[string, Record<string, string>]>([
    ['lemlist on another path', { LEMLIST_BASE_URL: 'https://lemlist.example/proxy/api/' }],
    ['lemlist on loopback without TLS', { LEMLIST_BASE_URL: 'http://127.0.0.1:9000/api' }],
    ['lemlist on loopback by name', { LEMLIST_BASE_URL: 'http://localhost:9000' }],
    ['lemlist on loopback by IPv6', { LEMLIST_BASE_URL: 'http://[::1]:9000' }],
    ['a port that the system chooses', { PORT: '0' }],
    ['an interval of 10 ms', { POLL_INTERVAL_MS: '10' }],
    ['a limit of a thousand million', { LEMLIST_RATE_LIMIT: '1000000000' }],
    ['no reserve', { LEMLIST_RATE_RESERVE: '0' }],
    ['every address, with authentication turned off', { HOST: '0.0.0.0', AUTH: 'none' }],
    ['the IPv6 loopback address', { HOST: '::1' }],
    ['the IPv6 loopback address in brackets', { HOST: '[::1]' }],
    ['another loopback address', { HOST: '127.8.8.8' }],
    ['a store in memory', { STORE_URL: 'memory:' }],
    ['a Redis with a password', { STORE_URL: 'rediss://user:p%23s%2Fs@redis.example:6380/2' }],
    ['a Redis without anything', { STORE_URL: 'redis://redis' }],
    ['a store with an absolute path', { STORE_URL: 'sqlite:/data/gateway.sqlite' }],
    ['a store with an absolute path, as a URL', { STORE_URL: 'sqlite:///data/gateway.sqlite' }],
    ['certificates that are checked', { NODE_TLS_REJECT_UNAUTHORIZED: '1' }],
    ['no documentation', { DOCS: 'false' }],
    ['no log', { LOG_LEVEL: 'silent' }],
  ])('accepts %s', (_, env) => {
    expect(faultsOf({ ...KEY, ...env })).toEqual([])
  })

  it('drops slashes at the end of the base URL, since every path begins with one', () => {
    const { lemlist } = loadConfig({ ...KEY, LEMLIST_BASE_URL: 'https://a.example/api//' })
    expect(lemlist.baseUrl.href).toBe('https://a.example/api')
  })

  // Regression: the `?` stood before the path of a download, and each of them was a 502.
  it.each(['?', '#', '?#'])('drops an empty query and fragment of the base URL: %s', (rest) => {
    const { lemlist } = loadConfig({ ...KEY, LEMLIST_BASE_URL: `https://a.example/api${rest}` })
    expect(lemlist.baseUrl.href).toBe('https://a.example/api')
  })

  // Regression: the start failed with EADDRINUSE and named no variable.
  it('wants two ports, unless the system chooses them', () => {
    const fault = 'OPS_PORT: must differ from PORT'
    expect(faultsOf({ ...KEY, PORT: '9090', OPS_PORT: '9090' })).toEqual([fault])
    expect(faultsOf({ ...KEY, OPS_PORT: '8080' })).toEqual([fault])
    expect(faultsOf({ ...KEY, PORT: '0', OPS_PORT: '0' })).toEqual([])
  })

  it('reserves calls of the limit for others', () => {
    const env = { LEMLIST_RATE_LIMIT: '100', LEMLIST_RATE_RESERVE: '99' }
    expect(loadConfig({ ...KEY, ...env }).lemlist.calls).toBe(1)
  })
})

/** Values contain the canary where their form allows it. No fault may repeat it. */
const BAD: readonly (readonly [name: string, value: string])[] = [
  ['LEMLIST_API_KEY', `${CANARY} with a space`],
  ['LEMLIST_API_KEY', `${CANARY}\nX-Injected: a`],
  ['LEMLIST_API_KEY', `${CANARY}é`],
  ['LEMLIST_API_KEY', CANARY.repeat(100)],
  ['LEMLIST_API_KEY', ' '],
  ['LEMLIST_API_KEY_FILE', `/nowhere/${CANARY}`],
  ['LEMLIST_API_KEY_FILE', tmpdir()],
  ['LEMLIST_BASE_URL', CANARY],
  ['LEMLIST_BASE_URL', `//${CANARY}.example`],
  ['LEMLIST_BASE_URL', `http://${CANARY}.example/api`],
  ['LEMLIST_BASE_URL', `http://127.0.0.1.${CANARY}.example`],
  ['LEMLIST_BASE_URL', `http://localhost.${CANARY}.example`],
  ['LEMLIST_BASE_URL', `ftp://${CANARY}.example`],
  ['LEMLIST_BASE_URL', `javascript:${CANARY}`],
  ['LEMLIST_BASE_URL', `https://user:${CANARY}@api.example`],
  ['LEMLIST_BASE_URL', `https://api.example?key=${CANARY}`],
  ['LEMLIST_BASE_URL', `https://api.example/#${CANARY}`],
  ['LEMLIST_RATE_LIMIT', '0'],
  ['LEMLIST_RATE_LIMIT', '-1'],
  ['LEMLIST_RATE_LIMIT', '1.5'],
  ['LEMLIST_RATE_LIMIT', '1e3'],
  ['LEMLIST_RATE_LIMIT', '0x10'],
  ['LEMLIST_RATE_LIMIT', '1000000001'],
  ['LEMLIST_RATE_LIMIT', '20 '],
  ['LEMLIST_RATE_LIMIT', `20${CANARY}`],
  ['LEMLIST_RATE_RESERVE', '-4'],
  ['LEMLIST_RATE_RESERVE', '20'],
  ['LEMLIST_RATE_WINDOW_MS', '9'],
  ['LEMLIST_RATE_WINDOW_MS', '2s'],
  ['LEMLIST_TIMEOUT_MS', '0'],
  ['LEMLIST_TIMEOUT_MS', 'Infinity'],
  ['LEMLIST_TIMEOUT_MS', '2147483648'],
  ['HOST', `0.0.0.0 ${CANARY}`],
  ['HOST', `http://${CANARY}`],
  ['HOST', '0.0.0.0'],
  ['HOST', '::'],
  ['HOST', '[::]'],
  ['HOST', '192.168.1.1'],
  ['HOST', `127.0.0.1.${CANARY}`],
  ['HOST', 'localhost.localdomain'],
  ['HOST', 'localhost:8080'],
  ['HOST', '127.0.0.1:8080'],
  ['HOST', '[::1]:8080'],
  ['HOST', '[::1'],
  ['HOST', '[localhost]'],
  ['HOST', '127.1'],
  ['HOST', '127.0.0.256'],
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', CANARY],
  ['STORE_URL', CANARY],
  ['STORE_URL', 'sqlite:'],
  ['STORE_URL', `postgres://user:${CANARY}@db`],
  ['STORE_URL', `memory:${CANARY}`],
  // Regression: `--check-config` accepted these, and the gateway failed when it opened the store.
  ['STORE_URL', `sqlite://${CANARY}/gateway.sqlite`],
  ['STORE_URL', 'sqlite::memory:'],
  // Regression: "sound" for `--check-config`, and a bare "Invalid URL" at the start.
  ['STORE_URL', `redis://:p#${CANARY}@127.0.0.1`],
  ['STORE_URL', `redis://user:12#${CANARY}@127.0.0.1`],
  ['STORE_URL', `redis://:p%${CANARY}@127.0.0.1`],
  ['STORE_URL', `redis://u%zz:${CANARY}@127.0.0.1`],
  ['STORE_URL', `redis://:p/${CANARY}@127.0.0.1`],
  ['STORE_URL', `redis://user:12?${CANARY}@127.0.0.1`],
  ['STORE_URL', `rediss://:${CANARY}@`],
  ['STORE_URL', `redis://127.0.0.1:70000`],
  ['STORE_URL', `redis://127.0.0.1/${CANARY}`],
  // Regression: the quotes of a file for `docker --env-file` became a part of the key.
  ['LEMLIST_API_KEY', `"${CANARY}"`],
  ['LEMLIST_API_KEY', `'${CANARY}'`],
  ['LEMLIST_API_KEY', `"${CANARY}`],
  ['LEMLIST_API_KEY', `<${CANARY}>`],
  ['LEMLIST_API_KEY', `\${${CANARY}}`],
  ['LEMLIST_API_KEY_FILE', `"/run/secrets/${CANARY}"`],
  ['PORT', '"8080"'],
  ['STORE_URL', `"redis://:${CANARY}@127.0.0.1"`],
  ['AUTH', CANARY],
  ['AUTH', 'None'],
  ['POLL_INTERVAL_MS', '9'],
  ['POLL_INTERVAL_MS', CANARY],
  ['POLL_MAX_INTERVAL_MS', '4999'],
  ['POLL_FIRST_MS', '9'],
  ['POLL_IDLE_INTERVAL_MS', '1 min'],
  ['SSE_HEARTBEAT_MS', '9'],
  ['SSE_MAX_AGE_MS', CANARY],
  ['SSE_CUT', CANARY],
  ['SSE_MAX_STREAMS', '0'],
  ['EXPORT_TTL_MS', '0'],
  ['FILE_TTL_MS', '0'],
  ['FILE_URLS', CANARY],
  ['PUBLIC_URL', CANARY],
  ['PUBLIC_URL', `ftp://${CANARY}.example`],
  ['PUBLIC_URL', `https://gateway.example/path#${CANARY}`],
  ['PUBLIC_URL', `https://gateway.example/a ${CANARY}`],
  ['PUBLIC_URL', `https://user:${CANARY}@gateway.example`],
  ['PUBLIC_URL', `https://gateway.example?${CANARY}`],
  // Regression: a backslash begins a path, so this had the default port and the path /:8080.
  ['PUBLIC_URL', 'http://[::1]\\:8080'],
  ['DRAIN_DELAY_MS', '-1'],
  ['SHUTDOWN_TIMEOUT_MS', '0'],
  ['DOCS', 'yes'],
  ['DOCS', '0'],
  ['LOG_LEVEL', 'verbose'],
  ['LOG_LEVEL', 'INFO'],
  ['NODE_TLS_REJECT_UNAUTHORIZED', '0'],
]

describe('a configuration is refused', () => {
  it.each(BAD)('for %s = %j, with a fault that tells the name and not the value', (name, value) => {
    const env = name === 'LEMLIST_API_KEY_FILE' ? { [name]: value } : { ...KEY, [name]: value }
    const faults = faultsOf(env)
    expect(names(faults)).toEqual([name])
    expect(faults[0]?.length).toBeGreaterThan(name.length + 10)
    expect(faults.join()).not.toContain(CANARY)
    if (value.length > 8) expect(faults.join()).not.toContain(value)
  })

  it('with a list of all its faults', () => {
    const { faults, message } = new ConfigError(
      faultsOf({
        LEMLIST_BASE_URL: CANARY,
        LEMLIST_RATE_LIMIT: CANARY,
        HOST: '0.0.0.0',
        PORT: CANARY,
        STORE_URL: CANARY,
        DOCS: CANARY,
        LOG_LEVEL: CANARY,
        NODE_TLS_REJECT_UNAUTHORIZED: '0',
      }),
    )
    expect(names(faults).toSorted()).toEqual([
      'DOCS',
      'HOST',
      'LEMLIST_API_KEY',
      'LEMLIST_BASE_URL',
      'LEMLIST_RATE_LIMIT',
      'LOG_LEVEL',
      'NODE_TLS_REJECT_UNAUTHORIZED',
      'PORT',
      'STORE_URL',
    ])
    expect(message).toContain('9 fault(s)')
    for (const fault of faults) expect(message).toContain(fault)
    expect(message).not.toContain(CANARY)
  })

  it('without a key', () => {
    expect(faultsOf({})).toEqual(['LEMLIST_API_KEY: is required (or LEMLIST_API_KEY_FILE)'])
  })

  it('with FILE_URLS=gateway but without PUBLIC_URL', () => {
    expect(names(faultsOf({ ...KEY, FILE_URLS: 'gateway' }))).toEqual(['PUBLIC_URL'])
  })

  it.each([
    ['https://Gateway.example:8443/', 'https://gateway.example:8443'],
    ['https://gateway.example/lemlist', 'https://gateway.example/lemlist'],
    ['https://gateway.example/a/b//', 'https://gateway.example/a/b'],
    ['https://gateway.example/a/.', 'https://gateway.example/a'],
    ['https://gateway.example', 'https://gateway.example'],
  ])('a file link below PUBLIC_URL=%s begins with %s', (PUBLIC_URL, fileUrlsBase) => {
    const config = loadConfig({ ...KEY, FILE_URLS: 'gateway', PUBLIC_URL })
    expect(config).toMatchObject({
      fileUrlsBase,
      publicUrl: { origin: new URL(PUBLIC_URL).origin },
    })
  })

  it('with two keys, since one of them would be ignored', () => {
    const faults = faultsOf({ ...KEY, LEMLIST_API_KEY_FILE: keyFile('another-key') })
    expect(names(faults)).toEqual(['LEMLIST_API_KEY'])
  })

  it.each(['', '\n', '"a-key"', 'two words', 'two\nlines', `${CANARY}é`, 'k'.repeat(513)])(
    'with a key file that holds %j',
    (content) => {
      const faults = faultsOf({ LEMLIST_API_KEY_FILE: keyFile(content) })
      expect(faults).toEqual(['LEMLIST_API_KEY_FILE: the file holds no lemlist API key'])
    },
  )
})

describe('a key file', () => {
  it.each(['a-key', 'a-key\n', ' a-key \r\n', '\ufeffa-key\n'])('may hold %j', (content) => {
    const path = keyFile(content)
    expect(readSecretFile('LEMLIST_API_KEY', path).reveal()).toBe('a-key')
    const { lemlist } = loadConfig({ LEMLIST_API_KEY_FILE: path })
    expect(lemlist.apiKey?.reveal()).toBe('a-key')
    expect(lemlist.apiKeyFile).toBe(path)
  })
})

describe('unknown variables', () => {
  it('are reported when their names look like those of the gateway', () => {
    const env = {
      LEMLIST_APIKEY: 'a',
      POLL_INTERVAL: 'a',
      STORE_PATH: 'a',
      SHUTDOWN_TIMEOUT: 'a',
      // Regression: nobody was warned of these, and a gateway with AUHT=keys let everybody in.
      AUHT: 'a',
      LOG_LEVL: 'a',
      LOGLEVEL: 'a',
      PROT: 'a',
      DOCX: 'a',
      ...KEY,
      PATH: 'a',
      HOSTNAME: 'a',
      PORTAL: 'a',
      npm_config_store_url: 'a',
    }
    expect(unknownVariables(env)).toEqual([
      'LEMLIST_APIKEY',
      'POLL_INTERVAL',
      'STORE_PATH',
      'SHUTDOWN_TIMEOUT',
      'AUHT',
      'LOG_LEVL',
      'LOGLEVEL',
      'PROT',
      'DOCX',
    ])
  })

  // Regression: a Service of the gateway's own name brings seven variables, and each was complained of.
  it('are not reported when Kubernetes made them for a Service', () => {
    const address = 'tcp://10.0.0.1:8080'
    const env = {
      LEMLIST_EXPORT_GATEWAY_SERVICE_HOST: '10.0.0.1',
      LEMLIST_EXPORT_GATEWAY_SERVICE_PORT: '8080',
      LEMLIST_EXPORT_GATEWAY_SERVICE_PORT_HTTP: '8080',
      LEMLIST_EXPORT_GATEWAY_PORT: address,
      LEMLIST_EXPORT_GATEWAY_PORT_8080_TCP: address,
      LEMLIST_EXPORT_GATEWAY_PORT_8080_TCP_PROTO: 'tcp',
      LEMLIST_EXPORT_GATEWAY_PORT_8080_TCP_PORT: '8080',
      LEMLIST_EXPORT_GATEWAY_PORT_8080_TCP_ADDR: '10.0.0.1',
      STORE_PORT: 'udp://10.0.0.1:53',
    }
    expect(unknownVariables(env)).toEqual([])
    expect(unknownVariables({ ...env, STORE_PORT: '6379' })).toEqual(['STORE_PORT'])
  })

  it('do not include any known variable', () => {
    const known = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, '']))
    expect(unknownVariables(known)).toEqual([])
  })
})

describe('a secret', () => {
  const secret = new Secret(CANARY)

  it.each<[string, (value: Secret) => string]>([
    ['a string', String],
    ['a template', (value) => `${value}`],
    ['a sum', (value) => `key: ${value}`],
    ['JSON', (value) => JSON.stringify(value)],
    ['JSON, deep inside', (value) => JSON.stringify({ a: [{ value }] })],
    ['an inspection', (value) => inspect(value)],
    ['an inspection of everything', (value) => inspect({ value }, { showHidden: true, depth: 9 })],
    ['its members', (value) => JSON.stringify([Object.entries(value), Reflect.ownKeys(value)])],
    ['a copy', (value) => inspect({ ...value })],
    ['an error', (value) => inspect(new Error('a', { cause: value }))],
    ['a configuration', () => inspect(loadConfig({ LEMLIST_API_KEY: CANARY }), { depth: 9 })],
  ])('does not show as %s', (_, show) => {
    expect(show(secret)).not.toContain(CANARY)
  })

  it('is revealed to code that asks for it', () => {
    expect(secret.reveal()).toBe(CANARY)
  })
})
