/**
 * Starts an export, watches it and says where its CSV is, through the typed client.
 *
 *   node typed-client.ts http://localhost:8080 cam_SandboxCampaign01
 *
 * In a browser it is the same: import `/client.js` of the gateway, and leave out the base URL.
 */

import {
  downloadUrl,
  GatewayProblem,
  startExport,
  watchExport,
} from 'lemlist-export-gateway/client'

const [baseUrl = 'http://localhost:8080', campaignId = 'cam_SandboxCampaign01'] =
  process.argv.slice(2)

try {
  const { id: exportId } = await startExport({ baseUrl, campaignId })
  const ref = { baseUrl, campaignId, exportId }
  // Lost connections, a lemlist in trouble: the watch goes on by itself.
  const onProblem = ({ detail }: GatewayProblem) => console.log('going on:', detail)
  let state = ''
  for await (const { status } of watchExport({ ...ref, onProblem })) {
    state = status.status
    console.log(state, status.progressIndex, status.progress, status.total)
  }
  if (state === 'done') console.log('download', downloadUrl(ref))
} catch (error) {
  if (!(error instanceof GatewayProblem)) throw error
  console.error(`${error.code}: ${error.detail}`)
  process.exitCode = 1
}
