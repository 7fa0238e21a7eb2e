import { request } from 'node:http'
import { z } from 'zod'

/** Makes the load for file.ts: one download, whose bytes are counted and dropped. */

const order = z.object({ url: z.string() })

process.on('message', (value) => {
  const { url } = order.parse(value)
  const from = performance.now()
  request(url, { agent: false }, (answer) => {
    let bytes = 0
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
    })
    answer.on('end', () => {
      process.send?.({ status: answer.statusCode, bytes, ms: performance.now() - from })
    })
  }).end()
})
