/**
 * The backend of a page that has another origin than the gateway. The backend has the key. The page
 * gets tickets from it, each for what its user may see.
 *
 *   GATEWAY_URL=http://127.0.0.1:8080 GATEWAY_KEY=leg_… \
 *     EXPORTS=cam_SandboxCampaign01/axp_SandboxSlow000001 node other-origin-backend.js
 *
 * Then open http://127.0.0.1:3000/. The gateway needs CORS_ORIGINS=http://127.0.0.1:3000.
 */

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const { GATEWAY_URL, GATEWAY_KEY, EXPORTS = '', PORT = '3000' } = process.env
const page = readFileSync(new URL('other-origin.html', import.meta.url), 'utf8')
  .replaceAll('GATEWAY_URL', GATEWAY_URL)
  .replaceAll('EXPORT', EXPORTS.split(',')[0])

/** What the user of this request may see. Your backend asks its session and its database here. */
const exportsOf = (_request) => EXPORTS.split(',')

/** Asks the gateway for a ticket, and hands the answer on. */
const sendTicket = async (request, response) => {
  const answer = await fetch(`${GATEWAY_URL}/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${GATEWAY_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ exports: exportsOf(request), scopes: ['status', 'file'], ttl: 900 }),
  })
  // The page needs no more than this. A problem of the gateway is for the log of this backend.
  if (!answer.ok) console.error('no ticket:', await answer.text())
  const body = answer.ok ? await answer.text() : '{}'
  response.writeHead(answer.ok ? 200 : 502, { 'content-type': 'application/json' }).end(body)
}

createServer((request, response) => {
  response.setHeader('cache-control', 'no-store')
  if (request.method === 'POST' && request.url === '/ticket') {
    sendTicket(request, response).catch(() => response.writeHead(502).end('{}'))
  } else response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page)
}).listen(Number(PORT), '127.0.0.1', function () {
  console.log(`http://127.0.0.1:${this.address().port}/`)
})
