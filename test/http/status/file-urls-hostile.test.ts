import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  csvAnswer,
  download,
  lemlistBase,
  scriptFile,
  startFileGateway,
} from '../../helpers/downloads.ts'
import { BOUNDLESS, expectProblem } from '../../helpers/faults.ts'
import { KEY, sharedGateway } from '../../helpers/gateway.ts'
import { aimed, HOSTILE_URLS } from '../../helpers/hostile-urls.ts'
import { UNLIMITED } from '../../helpers/pace.ts'
import { listenRaw } from '../../helpers/raw-upstream.ts'
import { doneBody } from '../../helpers/status-bodies.ts'

/** Links that lead elsewhere. The gateway fetches none of them, and only lemlist gets the key. */

const authorization = `Basic ${Buffer.from(`:${KEY}`).toString('base64')}`

describe('a status whose file is', () => {
  const gateway = sharedGateway({ env: BOUNDLESS, lemlist: { rateLimit: UNLIMITED } })
  let base = ''
  beforeAll(async () => {
    base = await lemlistBase(gateway())
    gateway().lemlist.script({ operation: 'file' }, csvAnswer('never,seen\n'))
  })

  it.each(HOSTILE_URLS.map((url, index) => ({ url, index, shown: JSON.stringify(url) })))(
    '$shown is a 502, and nothing is fetched',
    async ({ url, index }) => {
      const evil = await listenRaw((socket) => socket.destroy())
      const { lemlist } = gateway()
      const ref = { campaignId: 'cam_Hostile', exportId: `axp_Hostile${index}` }
      const link = aimed(url, { base, evil: new URL(evil.url).host })
      lemlist.clearCalls()
      lemlist.script({ exportId: ref.exportId }, { body: doneBody({ url: link }, ref) })
      expectProblem(await download(gateway(), ref), 'upstream-invalid')
      expect((await download(gateway(), ref, { method: 'HEAD' })).status).toBe(502)
      // The only call is the look at the status, and lemlist is the only one that gets the key.
      const path = `/api/campaigns/${ref.campaignId}/export/${ref.exportId}/status`
      expect(lemlist.calls).toMatchObject([{ path, authorization }])
      expect(evil.connections()).toBe(0)
    },
  )
})

describe('the file of a status whose link is below', () => {
  it.each(['the base URL', 'lemlist’s own URL'])('%s is fetched, with the key', async (whose) => {
    const gateway = await startFileGateway()
    const base =
      whose === 'the base URL' ? await lemlistBase(gateway) : 'https://api.lemlist.com/api'
    const names = fc.sample(
      fc
        .string({ unit: fc.constantFrom(...'abcXYZ019-_.!~*\'() ?#&=+,;:@$"<>|^`{}[]é春🚀') })
        .filter((name) => !/^\.{0,2}$/.test(name)),
      60,
    )
    scriptFile(gateway, csvAnswer('a,b\n'))
    for (const [index, name] of ['fil_axp_A_été.csv', '...', ...names].entries()) {
      const ref = { campaignId: 'cam_Good', exportId: `axp_Good${index}` }
      const url = `${base}/files/exports/${encodeURIComponent(name)}`
      gateway.lemlist.script({ exportId: ref.exportId }, { body: doneBody({ url }, ref) })
      gateway.lemlist.clearCalls()
      expect((await download(gateway, ref)).text).toBe('a,b\n')
      // The path is byte for byte that of the link.
      const path = `/api/files/exports/${encodeURIComponent(name)}`
      expect(gateway.lemlist.calls.slice(-1)).toMatchObject([{ path, authorization }])
      expect(gateway.lemlist.calls).toHaveLength(2)
    }
  })
})
