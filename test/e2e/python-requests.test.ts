import { describe, expect, it } from 'vitest'
import { eventsPath, manyEventsPath, startGateway } from '../helpers/gateway.ts'
import { requestsObstacle, runPython } from '../helpers/python.ts'
import { doneBody, REF } from '../helpers/status-bodies.ts'

const obstacle = await requestsObstacle()

/** The UTF-8 bytes of this name hold 0x85, which is a line end in ISO-8859-1. */
const NAME = 'Ångström 入門'

const READ_EVENTS = `
import json, requests, sys
response = requests.get(sys.argv[1], stream=True)
print(response.encoding)
for line in response.iter_lines(decode_unicode=True):
    if line.startswith('data: '):
        print(json.dumps(json.loads(line[6:]), ensure_ascii=False))
`

const READ_TEXT = `
import requests, sys
for url in sys.argv[1:]:
    print(requests.get(url).encoding)
`

const start = async () => {
  const { url, lemlist } = await startGateway()
  lemlist.script({ exportId: REF.exportId }, { body: doneBody({ campaignName: NAME }) })
  return { url, lemlist }
}

describe.skipIf(obstacle !== undefined)(
  `Python's requests${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    // Regression: without a charset, requests read the stream as ISO-8859-1, and cut a line in the
    // middle of a character.
    it.each([
      ['one export', eventsPath(REF)],
      ['many exports', manyEventsPath([REF])],
    ])('reads the stream of %s as UTF-8, line by line', async (_, path) => {
      const { url } = await start()
      const [encoding, status = '', end] = await runPython(READ_EVENTS, url + path)
      expect(encoding).toBe('utf-8')
      const told = JSON.parse(status)
      expect((told.body ?? told).status.campaignName).toBe(NAME)
      expect(JSON.parse(end ?? '')).toHaveProperty('reason')
    })

    it('reads every other text as UTF-8, too', async () => {
      const { url, lemlist } = await start()
      const file = eventsPath(lemlist.add({ durationMs: 0 })).replace(/events$/, 'file')
      const paths = ['/', '/client.js', '/client.d.ts', '/docs/', '/docs/static/swagger-ui.css']
      const texts = [...paths, file]
      const encodings = await runPython(READ_TEXT, ...texts.map((path) => url + path))
      expect(encodings).toEqual(texts.map(() => 'utf-8'))
    })
  },
)
