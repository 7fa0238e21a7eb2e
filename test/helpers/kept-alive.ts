import { Agent, request } from 'node:http'
import { onTestFinished } from 'vitest'

export interface Heard {
  readonly status: number
  /** Names and values in turn, as they came. */
  readonly headers: readonly string[]
  readonly body: string
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
}

/** A client that sends thousands of requests over a few connections. They end with the test. */
export const keptAlive = (url: string) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  onTestFinished(() => agent.destroy())
  return ({ body, ...options }: Sent): Promise<Heard> =>
    new Promise((resolve, reject) => {
      const asked = request(url, { ...options, agent }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.rawHeaders,
            body: Buffer.concat(chunks).toString(),
          })
        })
      })
      asked.on('error', reject)
      asked.end(body)
    })
}
