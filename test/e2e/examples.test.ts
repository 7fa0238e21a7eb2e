import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { getStatus } from '../../src/client/client.js'
import { KEY, startGateway } from '../helpers/gateway.ts'
import { IN_HASTE } from '../helpers/live-page.ts'
import { tempDirectory } from '../helpers/process.ts'
import { reply, startStub } from '../helpers/stub-gateway.ts'

const execute = promisify(execFile)
/** A shell that waits for ever must not outlive its test. */
const run = (command: string, args: readonly string[]) =>
  execute(command, args, { timeout: 60_000 })
const example = (name: string) => join(import.meta.dirname, '../../examples', name)
const onPath = (name: string) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
const missing = (name: string) =>
  onPath(name) || process.env.CI === 'true' ? undefined : `no ${name} on PATH`
const noCurl = missing('curl')
const noPython = missing('python3')

const CAMPAIGN = 'cam_Examples1'

/** Every export is pending at the first look, and done at the next. */
const start = async () => {
  const started = { durationMs: 3_600_000, fileBytes: 20_000 }
  const gateway = await startGateway({ ...IN_HASTE, lemlist: { ...IN_HASTE.lemlist, started } })
  const { lemlist } = gateway
  lemlist.addCampaign(CAMPAIGN)
  void lemlist
    .waitForCalls(1, ({ operation }) => operation === 'status')
    .then(() => {
      const looked = lemlist.calls.find(({ operation }) => operation === 'status')
      lemlist.finish(looked?.exportId ?? '')
    })
  return gateway
}

/** The bytes that lemlist has of an export. */
const original = async (baseUrl: string, exportId: string): Promise<Buffer> => {
  const { status } = await getStatus({ baseUrl, campaignId: CAMPAIGN, exportId })
  const headers = { authorization: `Basic ${btoa(`:${KEY}`)}` }
  return Buffer.from(await (await fetch(status.url ?? '', { headers })).arrayBuffer())
}

/** Starts are answered so, and the events of the export with this text, or refused without one. */
const startStubWith = (events?: string) =>
  startStub(({ method, url }, response) => {
    if (method === 'POST') {
      response.setHeader('location', 'axp_Mine1/status')
      return reply(response, 201, { id: 'axp_Mine1', team: { id: 'axp_Other1' } })
    }
    if (url.endsWith('/file')) return response.end('email\n')
    const refusal = { code: 'export-not-found', status: 404, detail: 'Unknown.' }
    if (events === undefined) return reply(response, 404, refusal)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events)
  })
const GONE = 'event: gone\ndata: {"detail":"Gone."}\n\nevent: end\ndata: {"reason":"gone"}\n\n'

describe.skipIf(noCurl !== undefined)(`curl.sh${noCurl ? ` (${noCurl})` : ''}`, () => {
  it('starts an export, shows its changes and saves its file', async () => {
    const { url, lemlist } = await start()
    const file = join(tempDirectory(), 'export.csv')
    const { stdout, stderr } = await run('bash', [example('curl.sh'), url, CAMPAIGN, file])
    const [, exportId = ''] = /^started (axp_\w+)$/m.exec(stdout) ?? []
    expect(stdout).toContain(`saved ${file}`)
    expect(stderr).toContain('"status":"pending"')
    expect(stderr).toContain('"status":"done"')
    expect((await readFile(file)).equals(await original(url, exportId))).toBe(true)
    expect(lemlist.calls.filter(({ operation }) => operation === 'start')).toHaveLength(1)
  })

  it('fails when nothing was started', async () => {
    const { url } = await start()
    const file = join(tempDirectory(), 'export.csv')
    const failed = run('bash', [example('curl.sh'), url, 'cam_Unknown1', file])
    await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining('404') })
    expect(existsSync(file)).toBe(false)
  })
})

describe.skipIf(noCurl !== undefined)(
  `curl.sh at an odd answer${noCurl ? ' (skipped)' : ''}`,
  () => {
    const curl = (url: string, file = join(tempDirectory(), 'export.csv')) =>
      run('bash', [example('curl.sh'), url, CAMPAIGN, file])

    // It asked a gateway that refuses the stream again every 3 seconds, for ever.
    it('ends when the stream is refused', async () => {
      const { url, asked } = await startStubWith()
      await expect(curl(url)).rejects.toMatchObject({
        code: 1,
        stderr: expect.stringContaining('export-not-found'),
      })
      expect(asked.filter((one) => one.url.endsWith('/events'))).toHaveLength(1)
    })

    // It took the last `"id"` in the answer to the start, which may be that of something else.
    it('watches the export that Location names, whatever else has an id', async () => {
      const { url, asked } = await startStubWith(GONE)
      const { stdout } = await curl(url)
      expect(stdout).toMatch(/^started axp_Mine1$/m)
      expect(asked.map((one) => one.url.split('/export/')[1])).toEqual([
        ...['start', 'axp_Mine1/events', 'axp_Mine1/file'],
      ])
    })

    it('goes on after a stream that was cut, even when a name in it looks like an end', async () => {
      const name = 'data: {"name":"event: end HTTP 404"}\n\n'
      let streams = 0
      const { url, asked } = await startStub((request, response) => {
        if (request.method === 'POST') response.setHeader('location', 'axp_Mine1/status')
        if (!request.url.endsWith('/events')) return reply(response, 200, { id: 'axp_Mine1' })
        streams += 1
        const text = streams === 1 ? `event: status\n${name}` : `event: status\n${name}${GONE}`
        response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text)
      })
      await curl(url)
      expect(asked.filter((one) => one.url.endsWith('/events'))).toHaveLength(2)
    })
  },
)

describe.skipIf(noPython !== undefined)(`python.py${noPython ? ` (${noPython})` : ''}`, () => {
  const python = (url: string, campaign: string, file: string) =>
    run('python3', [example('python.py'), url, campaign, file])

  it('starts an export, shows its changes and saves its file', async () => {
    const { url, lemlist } = await start()
    const file = join(tempDirectory(), 'export.csv')
    const { stdout } = await python(url, CAMPAIGN, file)
    expect(stdout.trim().split('\n')).toEqual(['pending', 'done', `saved ${file}`])
    const started = lemlist.calls.find(({ operation }) => operation === 'status')?.exportId ?? ''
    expect((await readFile(file)).equals(await original(url, started))).toBe(true)
  })

  it('goes on after a stream that was cut', async () => {
    let streams = 0
    const { url } = await startStub((request, response) => {
      if (!request.url.endsWith('/events')) return reply(response, 200, { id: 'axp_Mine1' })
      streams += 1
      const status = 'event: status\ndata: {"status":{"status":"done"}}\n\n'
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      if (streams > 1) return response.end(`${status}event: end\ndata: {}\n\n`)
      response.write('retry: 10\n\nevent: status\ndata: {"cut', () => response.destroy())
    })
    const { stdout } = await python(url, CAMPAIGN, join(tempDirectory(), 'export.csv'))
    expect(stdout).toMatch(/^done\nsaved /)
  })

  it('ends when the gateway refuses', async () => {
    const { url } = await startStubWith()
    const failed = python(url, CAMPAIGN, join(tempDirectory(), 'export.csv'))
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('export-not-found'),
    })
  })
})

describe('node.js', () => {
  it('starts an export, shows its changes and says where its file is', async () => {
    const { url } = await start()
    const { stdout } = await run(process.execPath, [example('node.js'), url, CAMPAIGN])
    const lines = stdout.trim().split('\n')
    expect(lines[0]).toMatch(/^pending 0 0 0$/)
    expect(lines.at(-2)).toBe('done 6 0 0')
    const [, address = '', exportId = ''] =
      /^download (.*\/(axp_\w+)\/file)$/.exec(lines.at(-1) ?? '') ?? []
    const file = Buffer.from(await (await fetch(address)).arrayBuffer())
    expect(file.equals(await original(url, exportId))).toBe(true)
  })

  it('says what the gateway refuses', async () => {
    const { url } = await start()
    const failed = run(process.execPath, [example('node.js'), url, 'cam_Unknown1'])
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^campaign-not-found: /),
    })
  })
})
