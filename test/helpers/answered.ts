import type { App } from '../../src/app.ts'

export interface Answered {
  readonly url: string
  readonly status: number
}

/** Records every request that the gateway finishes from now on. The list grows with each one. */
export const recordAnswered = ({ server }: App): readonly Answered[] => {
  const answered: Answered[] = []
  server.server.on('request', ({ url = '' }, response) => {
    response.once('close', () => answered.push({ url, status: response.statusCode }))
  })
  return answered
}
