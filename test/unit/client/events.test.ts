import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { watchExport } from '../../../src/client/client.js'
import { END, scriptedFetch, stream } from '../../helpers/scripted-fetch.ts'

const REF = { baseUrl: 'http://gateway', campaignId: 'cam_1', exportId: 'axp_1' }
const body = (state: string) => JSON.stringify({ status: { status: state } })

/** The states that the client yields from a stream of these chunks, until the stream ends. */
const statesIn = async (...chunks: (string | Uint8Array<ArrayBuffer>)[]): Promise<string[]> => {
  const states: string[] = []
  for await (const { status } of watchExport({ ...REF, ...scriptedFetch(stream(chunks)) })) {
    states.push(status.status)
  }
  return states
}

describe('the events that the client reads', () => {
  it.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ])('may have lines that end in %s', async (_, end) => {
    const text = `event: status\ndata: ${body('pending')}\n\nevent: status\ndata: ${body('done')}\n\n${END}`
    expect(await statesIn(text.replaceAll('\n', end))).toEqual(['pending', 'done'])
  })

  it('may come byte for byte, with CRLF and characters of several bytes', async () => {
    const text = `event: status\r\ndata: ${body('döne ✓ 𝄞')}\r\n\r\n${END}`
    const bytes = new TextEncoder().encode(text)
    const chunks = Array.from(bytes, (byte) => new Uint8Array([byte]))
    expect(await statesIn(...chunks)).toEqual(['döne ✓ 𝄞'])
  })

  it('are delivered when a CR ends the chunk, without waiting for a LF', async () => {
    const chunks = [`event: status\rdata: ${body('pending')}\r\r`]
    const script = scriptedFetch(stream(chunks, { open: true }))
    const watch = watchExport({ ...REF, ...script })
    expect((await watch.next()).value).toEqual({ status: { status: 'pending' } })
    await watch.return()
  })

  it('may have a byte order mark before them, and comments and unknown fields between them', async () => {
    const text = `\ufeff:hello\nevent:status\nwhatever: 1\nretry\ndata:${body('done')}\n:\n\n${END}`
    expect(await statesIn(text)).toEqual(['done'])
  })

  it('may have data on several lines', async () => {
    const [before, after] = ['{"status":', '{"status":"done"}}']
    expect(await statesIn(`event: status\ndata: ${before}\ndata: ${after}\n\n${END}`)).toEqual([
      'done',
    ])
  })

  it('are ignored when the client does not know their names, or when they have no data', async () => {
    const text = `event: news\ndata: 1\n\ndata: 2\n\nevent: status\n\n${END}`
    expect(await statesIn(text)).toEqual([])
  })

  it('are those that eventsource-parser reads, wherever the chunks are cut', async () => {
    const other = fc.constantFrom(
      ':',
      ':x',
      'retry: 12',
      'id: a',
      'id',
      'id: \0',
      'event: other',
      'x: 1',
    )
    const data = fc.integer().chain((n) =>
      // Several lines of data are one JSON text with line ends between its tokens.
      fc.constantFrom([`data: {"n":${n}}`], ['data:{"n":', `data: ${n}, "ä": "✓"`, 'data:  }'], []),
    )
    const block = fc
      .tuple(fc.array(other, { maxLength: 3 }), data, fc.array(other, { maxLength: 2 }))
      .chain(([before, lines, after]) =>
        fc.constantFrom(
          [...before, 'event: status', ...lines, ...after, ''],
          [...before, ...lines, ''],
        ),
      )
    // All lines of a block end alike. A CR and a LF after it would count as one line end, and the
    // blank line that ends in that LF would be lost.
    const ended = fc
      .tuple(block, fc.constantFrom('\n', '\r', '\r\n'))
      .map(([lines, end]) => lines.map((line) => line + end).join(''))
    const text = fc.array(ended, { maxLength: 8 }).map((blocks) => blocks.join(''))
    let read = 0
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(300), { maxLength: 6 }), async (said, cuts) => {
        const expected: unknown[] = []
        const judge = createParser({
          onEvent: (one) => void (one.event === 'status' && expected.push(JSON.parse(one.data))),
        })
        judge.feed(`${said}\n`)
        const bytes = new TextEncoder().encode(`${said}\n${END}`)
        const inside = cuts.filter((at) => at < bytes.length).sort((a, b) => a - b)
        const ends = [...inside, bytes.length]
        const chunks = ends.map((to, index) => bytes.slice(ends[index - 1] ?? 0, to))
        const told: unknown[] = []
        const onProblem = (problem: Error) => expect.fail(String(problem.cause))
        const options = { ...REF, ...scriptedFetch(stream(chunks)), onProblem }
        for await (const one of watchExport(options)) told.push(one)
        expect(told).toEqual(expected)
        read += told.length
      }),
      { numRuns: 500 },
    )
    expect(read).toBeGreaterThan(100)
  })
})
