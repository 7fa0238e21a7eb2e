import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { main } from '../../src/main.ts'
import { processHost, runGateway } from '../../src/run.ts'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { sandbox } from '../../src/sandbox/main.ts'
import { fakeHost } from '../helpers/fake-host.ts'
import { tempDirectory } from '../helpers/process.ts'

/** What the entry files do, in a fake process. test/e2e/ starts real ones. */

const EXPORT = { campaignId: 'cam_A1B2C3', exportId: 'axp_D4E5F6' }
const STATUS = `/campaigns/${EXPORT.campaignId}/export/${EXPORT.exportId}/status`
const ENV = { STORE_URL: 'memory:', PORT: '0', LOG_LEVEL: 'silent' }

const takenPort = async (): Promise<string> => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  // A server that listens on TCP has such an address.
  return String((server.address() as { port: number }).port)
}

const keyFile = (key: string): string => {
  const file = join(tempDirectory(), 'key')
  writeFileSync(file, key)
  return file
}

const isListening = async (url: string): Promise<boolean> => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const heard = await Promise.race([
    once(socket, 'connect').then(() => true),
    new Promise<boolean>((resolve) => socket.once('error', () => resolve(false))),
  ])
  socket.destroy()
  return heard
}

describe('main', () => {
  it('complains of every fault and asks for exit code 78', async () => {
    const host = fakeHost({ env: { PORT: 'x', DOCS: 'x' } })
    await main(host)
    expect(host.exitCode()).toBe(78)
    expect(host.complaints).toHaveLength(1)
    expect(host.complaints[0]).toMatch(/3 fault\(s\):\nPORT: .+\nDOCS: .+\nLEMLIST_API_KEY: /)
    expect(host.printed).toEqual([])
  })

  it('warns of an unknown variable that looks like one of the gateway, and goes on', async () => {
    const env = { LEMLIST_API_KEY: 'a-key', LEMLIST_TIMEOUT: '5' }
    const host = fakeHost({ env, argv: ['--check-config'] })
    await main(host)
    expect(host.complaints).toEqual([
      'LEMLIST_TIMEOUT is not a variable of the gateway; see docs/configuration.md',
    ])
    expect(host.printed).toEqual(['The configuration is sound.'])
    expect(host.exitCode()).toBeUndefined()
  })

  it('reads the access file when it checks the configuration, and tells its faults with all others', async () => {
    const file = join(tempDirectory(), 'access.json')
    writeFileSync(file, '{"accounts": {"sales": {"apiKeyFile": "/nowhere"}}, "callers": {}}')
    const env = { ACCESS_FILE: file, AUTH: 'keys', PORT: 'x' }
    const host = fakeHost({ env, argv: ['--check-config'] })
    await main(host)
    expect(host.exitCode()).toBe(78)
    expect(host.complaints.join()).toMatch(
      /2 fault\(s\):\nPORT: .+\nACCESS_FILE: accounts\.sales\.apiKeyFile: the file cannot be read$/,
    )
  })

  it('finds a configuration sound whose accounts are in the access file', async () => {
    const file = join(tempDirectory(), 'access.json')
    writeFileSync(file, '{"accounts": {"sales": {"apiKey": "a-key"}}}')
    const host = fakeHost({ env: { ACCESS_FILE: file, AUTH: 'keys' }, argv: ['--check-config'] })
    await main(host)
    expect(host.complaints).toEqual([])
    expect(host.printed).toEqual(['The configuration is sound.'])
  })

  it('starts a gateway that stops when it is told to', async () => {
    const host = fakeHost({ env: { ...ENV, LEMLIST_API_KEY: 'a-key' } })
    await main(host)
    expect(host.complaints).toEqual([])
    expect(host.hangUp()).toBe(false)
    await host.stop()
  })

  it('reads a key file again at SIGHUP', async () => {
    const lemlist = createLemlist({ apiKeys: ['old-key', 'new-key'], exports: [EXPORT] })
    onTestFinished(() => lemlist.close())
    const file = join(tempDirectory(), 'key')
    writeFileSync(file, 'old-key')
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    // A server that listens on TCP has such an address. The port is free again after the close.
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    const host = fakeHost({
      env: {
        ...ENV,
        PORT: String(port),
        LEMLIST_API_KEY_FILE: file,
        LEMLIST_BASE_URL: await lemlist.listen(),
      },
    })
    await main(host)
    writeFileSync(file, 'new-key')
    expect(host.hangUp()).toBe(true)
    await fetch(`http://127.0.0.1:${port}${STATUS}`)
    expect(lemlist.calls.map(({ authorization }) => authorization)).toEqual([
      `Basic ${Buffer.from(':new-key').toString('base64')}`,
    ])
  })

  it('throws an error that is no fault of the configuration', async () => {
    const host = fakeHost()
    const broken = new Proxy(host, {
      get: (target, name) => {
        if (name === 'env') throw new TypeError('no environment')
        return Reflect.get(target, name)
      },
    })
    await expect(main(broken)).rejects.toThrow('no environment')
  })
})

describe('runGateway', () => {
  const config = (env: Readonly<Record<string, string>> = {}) =>
    loadConfig({ ...ENV, LEMLIST_API_KEY: 'a-key', ...env })

  it('resolves to its URL, and frees its port when it stops', async () => {
    const host = fakeHost()
    const running = await runGateway(host, config())
    if (running === undefined) throw new Error('it did not start')
    expect((await fetch(`${running.url}/health/live`)).status).toBe(200)
    await host.stop()
    expect(await isListening(running.url)).toBe(false)
  })

  it('stops itself first, and then what was started with it', async () => {
    const host = fakeHost()
    const listened: boolean[] = []
    const running = await runGateway(host, config(), async () => {
      listened.push(await isListening(running?.url ?? ''))
    })
    await host.stop()
    expect(listened).toEqual([false])
  })

  it('complains in one line of a port that is taken, and frees everything', async () => {
    const host = fakeHost()
    expect(await runGateway(host, config({ PORT: await takenPort() }))).toBeUndefined()
    expect(host.exitCode()).toBe(1)
    expect(host.complaints).toEqual([expect.stringMatching(/^The gateway cannot start: .+$/)])
  })

  it('keeps the old key when the new one cannot be read', async () => {
    const host = fakeHost()
    const file = keyFile('a-key')
    await runGateway(host, config({ LEMLIST_API_KEY: '', LEMLIST_API_KEY_FILE: file }))
    rmSync(file)
    expect(host.hangUp()).toBe(true)
    expect(host.exitCode()).toBeUndefined()
  })

  it('uses a new key from the next call on', async () => {
    const lemlist = createLemlist({ apiKeys: ['a-key', 'b-key'], exports: [EXPORT] })
    onTestFinished(() => lemlist.close())
    const host = fakeHost()
    const file = keyFile('a-key')
    const upstream = config({
      ...{ LEMLIST_API_KEY: '', LEMLIST_API_KEY_FILE: file },
      LEMLIST_BASE_URL: await lemlist.listen(),
    })
    const running = await runGateway(host, upstream)
    await fetch(`${running?.url}${STATUS}`)
    writeFileSync(file, 'b-key')
    host.hangUp()
    await fetch(`${running?.url}${STATUS}`)
    const keys = lemlist.calls.map(({ authorization }) => authorization)
    expect(keys).toEqual([':a-key', ':b-key'].map((key) => `Basic ${btoa(key)}`))
  })
})

describe('the process as a host', () => {
  it('has the environment, the arguments and the terminal of this process', () => {
    const host = processHost()
    expect(host.env.PATH).toBe(process.env.PATH)
    expect(host.argv).toEqual(process.argv.slice(2))
    expect(host.terminal).toBe(process.stdout.isTTY === true)
  })

  it('sets the exit code with which the process will end', () => {
    const before = process.exitCode
    processHost().exitWith(78)
    const asked = process.exitCode
    process.exitCode = before
    expect(asked).toBe(78)
  })

  it('hears SIGHUP', () => {
    const heard: string[] = []
    const before = new Set(process.listeners('SIGHUP'))
    processHost().onHangup(() => void heard.push('hang-up'))
    for (const listener of process.listeners('SIGHUP')) {
      if (before.has(listener)) continue
      process.off('SIGHUP', listener)
      listener('SIGHUP')
    }
    expect(heard).toEqual(['hang-up'])
  })
})

describe('the sandbox', () => {
  it('needs no configuration, and prints URLs to try', async () => {
    const host = fakeHost({ env: { PORT: '0', LOG_LEVEL: 'silent' } })
    await sandbox(host)
    expect(host.complaints).toEqual([])
    const [welcome = ''] = host.printed
    const urls = [...welcome.matchAll(/curl -i (http:\S+)/g)].map(([, url = '']) => url)
    // Five exports, and the list of a campaign.
    expect(urls).toHaveLength(6)
    for (const url of urls) expect((await fetch(url)).status).toBe(200)
  })

  it('uses its own lemlist and key, whatever the environment says of the real one', async () => {
    const env = {
      PORT: '0',
      LOG_LEVEL: 'silent',
      LEMLIST_API_KEY: 'a real key',
      LEMLIST_API_KEY_FILE: '/nowhere',
      LEMLIST_BASE_URL: 'https://api.lemlist.com/api',
    }
    const host = fakeHost({ env })
    const lemlist = await sandbox(host)
    const [, url = ''] = /curl -i (http:\S+)/.exec(host.printed[0] ?? '') ?? []
    expect((await fetch(url)).status).toBe(200)
    const keys = lemlist?.calls.map(({ authorization }) => authorization)
    expect(new Set(keys)).toEqual(new Set([`Basic ${btoa(':sandbox-key')}`]))
  })

  it('stops its lemlist together with itself', async () => {
    const host = fakeHost({ env: { PORT: '0', LOG_LEVEL: 'silent' } })
    const lemlist = await sandbox(host)
    await host.stop()
    const base = await lemlist?.listen()
    // It can listen again, so it had stopped.
    expect(base).toMatch(/^http:/)
    await lemlist?.close()
  })

  it('complains of a faulty configuration and asks for exit code 78', async () => {
    const host = fakeHost({ env: { PORT: 'x' } })
    expect(await sandbox(host)).toBeUndefined()
    expect(host.exitCode()).toBe(78)
    expect(host.complaints).toEqual([expect.stringMatching(/PORT: /)])
  })

  it('complains of a port that is taken, and prints no welcome', async () => {
    const host = fakeHost({ env: { PORT: await takenPort(), LOG_LEVEL: 'silent' } })
    expect(await sandbox(host)).toBeUndefined()
    expect(host.exitCode()).toBe(1)
    expect(host.printed).toEqual([])
  })
})
