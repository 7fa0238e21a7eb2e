import type { App } from '../../src/app.ts'

export interface Answered {
  readonly url: string
  readonly status: number
}

/** Every request that a gateway has answered to its end from now on. Live. */
export const recordAnswered = ({ server }: App): readonly Answered[] => {
  const answered: Answered[] = []
  server.server.on('request', ({ url = '' }, response) => {
    response.once('close', () => answered.push({ url, status: response.statusCode }))
  })
  return answered
}
