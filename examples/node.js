/**
 * Starts an export with the typed client, watches it and prints the URL of its CSV.
 *
 *   node node.js http://localhost:8080 cam_SandboxCampaign01
 *
 * It runs on Node 20 and newer. In a project of your own, save the two files `/client.js` and
 * `/client.d.ts` of your gateway, and import `./client.js`. In a browser the code is the same, but
 * without `baseUrl`.
 */

import { downloadUrl, GatewayProblem, startExport, watchExport } from './client.js'

const [baseUrl = 'http://localhost:8080', campaignId = 'cam_SandboxCampaign01'] =
  process.argv.slice(2)

try {
  const { id: exportId } = await startExport({ baseUrl, campaignId })
  const ref = { baseUrl, campaignId, exportId }
  // Called when the connection is lost or lemlist is in trouble. The watch goes on by itself.
  const onProblem = ({ detail }) => console.log('going on:', detail)
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
