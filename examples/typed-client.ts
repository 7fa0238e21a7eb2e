/**
 * Starts an export with the typed client, watches it and prints the URL of its CSV.
 *
 *   node typed-client.ts http://localhost:8080 cam_SandboxCampaign01
 *
 * In a browser the code is the same, but import `/client.js` from the gateway and leave out
 * `baseUrl`.
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
  // Called when the connection is lost or lemlist is in trouble. The watch goes on by itself.
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
