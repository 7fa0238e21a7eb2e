import { describe, expect, it } from 'vitest'
import { logLines, sharedGateway, startGateway } from '../../helpers/gateway.ts'
import { expectProblem } from '../../helpers/problem.ts'
import { ask, rawRequest } from '../../helpers/wire.ts'

/** The paths are sent as bytes, because every client library would change such paths first. */

const CAMPAIGN = 'cam_A1B2C3'
const EXPORT = 'axp_D4E5F6'
const LETTERS = 'Canary'.repeat(50)

const NO_IDS: readonly string[] = [
  '',
  '.',
  '..',
  '...',
  '%2e',
  '%2e%2e',
  '%2E.',
  '..%2f..%2fteam',
  '%2e%2e%2f%2e%2e%2fteam',
  '..%5c..%5cteam',
  '..\\..\\team',
  '\\',
  '%5c',
  'a%2fb',
  'axp_Canary%2fstatus',
  'axp_Canary%2Fstatus%3F',
  '%00',
  'axp_Canary%00',
  '%zz',
  '%',
  'axp_Canary%',
  'axp_Canary%4',
  '%ff%fe',
  '%c0%ae%c0%ae',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '%C3%A9xp_Canary',
  'axp_Canary%E2%80%AE',
  'axp_%F0%9F%92%A9Canary',
  'axp_Canary%0d%0aSet-Cookie:%20a=Canary',
  '%0d%0a%0d%0aGET%20*Canary',
  'axp_Canary%0a',
  '%0aaxp_Canary',
  'axp_Canary%20',
  'axp_Canary+',
  'axp_Canary;x',
  'axp_Canary%3bx',
  'axp_Canary,axp_Other',
  'axp_Canary:1',
  'axp_Canary*',
  'axp_Canary~',
  'axp_',
  'axp-Canary',
  'axpCanary',
  '_Canary',
  'AXP_Canary',
  'ax_Canary',
  'axpp_Canary',
  '1xp_Canary',
  'axp_Canary_1',
  'axp__Canary',
  '{exportId}',
  '%7BexportId%7D',
  "axp_Canary'--",
  '<script>Canary<%2fscript>',
  '$%7Bjndi:ldap:%2f%2fCanary%7D',
  `axp_${LETTERS.slice(0, 65)}`,
  `cam_${LETTERS.slice(0, 65)}`,
  LETTERS.slice(0, 100),
  LETTERS.slice(0, 101),
  `axp_${LETTERS.slice(0, 296)}`,
  `${'%2e'.repeat(100)}Canary`,
]

const tellable = (id: string): string =>
  id === '' ? 'an empty one' : id.length > 60 ? `${id.slice(0, 12)}… (${id.length})` : id

describe.each([
  { place: 'campaign', pathOf: (id: string) => `/campaigns/${id}/export/${EXPORT}/status` },
  { place: 'export', pathOf: (id: string) => `/campaigns/${CAMPAIGN}/export/${id}/status` },
])('a text that cannot be the id of a $place', ({ pathOf }) => {
  const gateway = sharedGateway()
  it.each(NO_IDS.map((id) => ({ id, name: tellable(id) })))(
    'is refused without a call to lemlist, and repeated nowhere: $name',
    async ({ id }) => {
      const { url, lemlist, logs } = gateway()
      const answer = await ask(url, rawRequest(pathOf(id)))
      const { instance } = expectProblem(answer, 'invalid-id')
      expect(lemlist.calls).toEqual([])
      await expect.poll(logs, { interval: 5 }).toContain(instance)
      const line = logLines(logs()).find(({ requestId }) => requestId === instance)
      expect(line).toMatchObject({ status: 400, problem: 'invalid-id' })
      for (const said of [logs(), answer.body, JSON.stringify([...answer.headers])]) {
        expect(said).not.toContain('Canary')
        if (id.length > 3) expect(said).not.toContain(id)
      }
    },
  )
})

it('an id that is not well-formed is refused with what is wrong', async () => {
  const { url } = await startGateway()
  const answer = await ask(url, rawRequest('/campaigns/cam_A/export/%zz/status'))
  expect(expectProblem(answer, 'invalid-id').errors).toEqual([
    { path: '', message: 'is not percent-encoded UTF-8' },
  ])
})

it('the id of a team is refused as a campaign id', async () => {
  const { url, lemlist } = await startGateway()
  const answer = await ask(url, rawRequest(`/campaigns/tea_A1B2C3/export/${EXPORT}/status`))
  const { errors } = expectProblem(answer, 'invalid-id')
  expect(errors?.map(({ path }) => path)).toEqual(['/campaignId'])
  expect(lemlist.calls).toEqual([])
})

it('a HEAD with an invalid id is refused without a body', async () => {
  const { url, lemlist } = await startGateway()
  const answer = await ask(
    url,
    rawRequest(`/campaigns/${CAMPAIGN}/export/../status`, { method: 'HEAD' }),
  )
  expect(answer).toMatchObject({ status: 400, body: '', rest: '' })
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(lemlist.calls).toEqual([])
})

it('an id of 64 characters after its prefix is sent to lemlist unchanged', async () => {
  const campaignId = `cam_${'c'.repeat(64)}`
  const exportId = `axp_${'E'.repeat(64)}`
  const { url, lemlist } = await startGateway({
    lemlist: { exports: [{ campaignId, exportId, outcome: 'never' }] },
  })
  const answer = await ask(url, rawRequest(`/campaigns/${campaignId}/export/${exportId}/status`))
  expect(answer.status).toBe(200)
  expect(lemlist.calls.map(({ path }) => path)).toEqual([
    `/api/campaigns/${campaignId}/export/${exportId}/status`,
  ])
})

const PATH = `/campaigns/${CAMPAIGN}/export/${EXPORT}/status`

describe('a path has one form:', () => {
  const gateway = sharedGateway()
  it.each([
    ['a doubled slash in front', `/${PATH}`],
    ['a doubled slash after the first word', PATH.replace('campaigns/', 'campaigns//')],
    ['a doubled slash inside', PATH.replace('/export', '//export')],
    ['a doubled slash at the end', PATH.replace('/status', '//status')],
    ['a trailing slash', `${PATH}/`],
    ['a trailing encoded slash', `${PATH}%2f`],
    ['an encoded slash', PATH.replace('/export', '%2fexport')],
    ['a capital in a word', PATH.replace('campaigns', 'Campaigns')],
    ['capitals', PATH.replace('status', 'STATUS')],
    ['a path parameter', `${PATH};x`],
    ['a path parameter inside', PATH.replace('campaigns', 'campaigns;x=1')],
    ['dot segments', `/x/..${PATH}`],
    ['encoded dot segments', `/x/%2e%2e${PATH}`],
    ['a segment more', `${PATH}/more`],
    ['a segment less', PATH.replace('/status', '')],
  ])('%s is not found', async (_, path) => {
    const { url, lemlist, logs } = gateway()
    const { instance } = expectProblem(await ask(url, rawRequest(path)), 'not-found')
    expect(lemlist.calls).toEqual([])
    await expect.poll(logs, { interval: 5 }).toContain(instance)
    expect(logs()).not.toContain(EXPORT)
  })
})
