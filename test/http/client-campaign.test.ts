import { expect, it, onTestFinished } from 'vitest'
import {
  type ExportEvent,
  getStatus,
  listExports,
  startExport,
  watchCampaign,
} from '../../src/client/client.js'
import { sharedGateway } from '../helpers/gateway.ts'
import { IN_HASTE } from '../helpers/live-page.ts'

/** The functions of the client that need the id of a campaign alone, in front of a real gateway. */
const gateway = sharedGateway(IN_HASTE)

const campaign = (campaignId: string) => {
  const { url: baseUrl, lemlist } = gateway()
  lemlist.addCampaign(campaignId, 'A campaign')
  const options = { baseUrl, campaignId }
  const add = (exportId: string, script: { durationMs: number; outcome?: 'never' }) =>
    lemlist.add({ campaignId, exportId, ...script })
  return { options, add, lemlist }
}

const told = ({ value }: IteratorResult<ExportEvent, void>) =>
  value?.type === 'status' ? [value.exportId, value.body.status.status] : value

it('listExports resolves to what the gateway knows, the newest first', async () => {
  const { options, add } = campaign('cam_ClientList1')
  expect(await listExports(options)).toEqual({ campaignId: 'cam_ClientList1', exports: [] })
  for (const exportId of ['axp_ClientList1', 'axp_ClientList2']) {
    await getStatus({ ...options, ...add(exportId, { durationMs: 0 }) })
  }
  const { exports } = await listExports(options)
  const facts = exports.map(({ exportId, state, body }) => [exportId, state, body?.status.status])
  expect(facts.toSorted()).toEqual([
    ['axp_ClientList1', 'done', 'done'],
    ['axp_ClientList2', 'done', 'done'],
  ])
  expect(Date.parse(exports[0]?.fileUntil ?? '')).toBeGreaterThan(Date.now())
  expect((await listExports({ ...options, limit: 1 })).exports).toHaveLength(1)
})

it('listExports throws what the gateway refuses', async () => {
  const { options } = campaign('cam_ClientList2')
  const refused = listExports({ ...options, limit: 101 })
  await expect(refused).rejects.toMatchObject({ name: 'GatewayProblem', status: 400 })
})

it('watchCampaign tells what is known, then what others start, until the caller returns', async () => {
  const { options, add, lemlist } = campaign('cam_ClientWatch1')
  await getStatus({ ...options, ...add('axp_ClientWatch1', { durationMs: 0 }) })
  const watch = watchCampaign(options)
  onTestFinished(async () => void (await watch.return()))
  expect(told(await watch.next())).toEqual(['axp_ClientWatch1', 'done'])
  const { id } = await startExport(options)
  expect(told(await watch.next())).toEqual([id, 'pending'])
  lemlist.finish(id)
  let last = await watch.next()
  while (told(last)?.toString() !== [id, 'done'].toString()) last = await watch.next()
  const pending = watch.next()
  await watch.return()
  expect((await pending).done).toBe(true)
})

it('watchCampaign throws the reason of its signal', async () => {
  const { options } = campaign('cam_ClientWatch2')
  const stop = new AbortController()
  const onOpen = () => stop.abort(new Error('enough'))
  const pending = watchCampaign({ ...options, signal: stop.signal, onOpen }).next()
  await expect(pending).rejects.toThrow('enough')
})
