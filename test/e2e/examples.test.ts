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

const execute = promisify(execFile)
/** A shell that waits for ever must not outlive its test. */
const run = (command: string, args: readonly string[]) =>
  execute(command, args, { timeout: 60_000 })
const example = (name: string) => join(import.meta.dirname, '../../examples', name)
const onPath = (name: string) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
const obstacle = onPath('curl') || process.env.CI === 'true' ? undefined : 'no curl on PATH'

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

describe.skipIf(obstacle !== undefined)(`curl.sh${obstacle ? ` (${obstacle})` : ''}`, () => {
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

describe('typed-client.ts', () => {
  it('starts an export, shows its changes and says where its file is', async () => {
    const { url } = await start()
    const { stdout } = await run(process.execPath, [example('typed-client.ts'), url, CAMPAIGN])
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
    const failed = run(process.execPath, [example('typed-client.ts'), url, 'cam_Unknown1'])
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^campaign-not-found: /),
    })
  })
})
