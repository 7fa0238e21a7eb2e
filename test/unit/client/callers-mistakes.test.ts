import { describe, expect, it, vi } from 'vitest'
import {
  createTicket,
  getStatus,
  startExport,
  watchExport,
  watchExports,
} from '../../../src/client/client.js'
import { END, event, json, scriptedFetch, stream } from '../../helpers/scripted-fetch.ts'

const REF = { baseUrl: 'http://gateway', campaignId: 'cam_1', exportId: 'axp_1' }
const bug = new ReferenceError('bug is not defined')
const throwing = () => {
  throw bug
}

// Exceptions of these functions were told as a lost network, and the request was sent again for ever.
describe('an exception in a function of the caller', () => {
  const opened = stream([event('status', { status: { status: 'done' } }), END])

  it('ends the watch when `onOpen` throws it', async () => {
    const { fetch, asked } = scriptedFetch(opened)
    const onProblem = vi.fn()
    const options = { fetch, onOpen: throwing, onProblem }
    await expect(watchExport({ ...REF, ...options }).next()).rejects.toBe(bug)
    await expect(watchExports({ exports: [REF], ...options }).next()).rejects.toBe(bug)
    expect(onProblem).not.toHaveBeenCalled()
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([true, true])
  })

  it('ends the watch when `onProblem` throws it, for trouble of any kind', async () => {
    const trouble = { code: 'overloaded', status: 503, title: '', detail: '', retryable: true }
    for (const answer of [json(503, trouble), stream([event('problem', trouble), END])]) {
      const options = { ...scriptedFetch(answer), onProblem: throwing }
      await expect(watchExport({ ...REF, ...options }).next()).rejects.toBe(bug)
      await expect(watchExports({ exports: [REF], ...options }).next()).rejects.toBe(bug)
    }
  })

  it.each([
    ['throws', throwing],
    ['rejects with', () => Promise.reject(bug)],
  ])('fails every call when `headers` %s it', async (_, headers) => {
    const { fetch, asked } = scriptedFetch(opened)
    const options = { ...REF, fetch, headers }
    await expect(watchExport(options).next()).rejects.toBe(bug)
    await expect(getStatus(options)).rejects.toBe(bug)
    await expect(startExport(options)).rejects.toBe(bug)
    await expect(createTicket(options)).rejects.toBe(bug)
    expect(asked).toHaveLength(0)
  })
})

// In Node a path is no address. A watch without `baseUrl` asked for it again and again.
describe('an address that is none', () => {
  it.each([undefined, 'gateway.example', 'localhost:8080', 'http://me:secret@gateway'])(
    'is a TypeError at once: %s',
    async (baseUrl) => {
      const options = { campaignId: 'cam_1', exportId: 'axp_1', baseUrl }
      const onProblem = vi.fn()
      await expect(watchExport({ ...options, onProblem }).next()).rejects.toThrow(TypeError)
      await expect(getStatus(options)).rejects.toThrow(TypeError)
      await expect(startExport(options)).rejects.toThrow(TypeError)
      expect(onProblem).not.toHaveBeenCalled()
    },
  )

  it('is a matter of the `fetch` that the caller passes', async () => {
    const script = scriptedFetch(json(200, { status: { status: 'done' } }))
    await getStatus({ campaignId: 'cam_1', exportId: 'axp_1', ...script })
    expect(script.asked).toHaveLength(1)
  })
})

it('a header that HTTP does not allow is a TypeError at once', async () => {
  const { fetch, asked } = scriptedFetch()
  await expect(startExport({ ...REF, fetch, idempotencyKey: '€' })).rejects.toThrow(TypeError)
  await expect(getStatus({ ...REF, fetch, headers: { 'a b': '1' } })).rejects.toThrow(TypeError)
  expect(asked).toHaveLength(0)
})
