import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lastEventId, requireEventStream } from '../../../src/http/events/asked.ts'
import { encodeEvent } from '../../../src/http/events/sse.ts'
import {
  campaignParams,
  eventHeaders,
  eventQuery,
  exportParams,
  fileHeaders,
  manyExportsQuery,
  startHeaders,
  statusHeaders,
} from '../../../src/http/openapi/schemas.ts'
import { requestIdOf } from '../../../src/http/request-id.ts'
import { isSameHost, pathAndQueryOf, pathOf } from '../../../src/http/request-target.ts'
import { matchesETag } from '../../../src/http/status/conditional.ts'
import { waitPreference } from '../../../src/http/status/preference.ts'
import { Problem } from '../../../src/problems.ts'
import { nearly, outcomeOf } from '../../helpers/near-misses.ts'

/** Callers may send anything. A parser gives a value of its form, nothing, or a problem. */

const RUNS = { numRuns: 1_000 }
const id = fc.stringMatching(/^[A-Za-z0-9]{1,64}$/)
const exportName = fc.tuple(id, id).map(([one, other]) => `cam_${one}/axp_${other}`)

describe('whatever a header holds,', () => {
  it('Prefer is a wait of 0 to 60 s or none', () => {
    const prefer = nearly('wait=5', 'respond-async, wait="60"; a=b', 'a="b, wait=1", wait=2')
    fc.assert(
      fc.property(fc.oneof(prefer, fc.array(prefer, { maxLength: 4 })), (text) => {
        const seconds = waitPreference(text)
        if (seconds === undefined) return
        expect(Number.isInteger(seconds) && seconds >= 0 && seconds <= 60, String(text)).toBe(true)
      }),
      RUNS,
    )
  })

  it('Prefer keeps the number of a wait, up to 60', () => {
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), (seconds, quoted) => {
        const value = quoted ? `"${seconds}"` : `${seconds}`
        expect(waitPreference(`handling=lenient, wait=${value}`)).toBe(Math.min(60, seconds))
      }),
      RUNS,
    )
  })

  it('If-None-Match never matches an ETag that it does not contain', () => {
    const tag = fc.stringMatching(/^"[\w.-]{22}"$/)
    fc.assert(
      fc.property(nearly('"a"', 'W/"a", "b--gzip"', '"a;br"'), tag, (text, etag) => {
        fc.pre(text.trim() !== '*')
        expect(matchesETag(text, etag)).toBe(false)
        expect(matchesETag(`"other", W/${etag}`, etag)).toBe(true)
        expect(matchesETag(`${etag}, ${text}`, etag)).toBe(true)
      }),
      RUNS,
    )
  })

  it('Last-Event-ID is an id of the safe form or none', () => {
    const sent = nearly('open.AbC_-123', 'gone.export-expired', 'over.a')
    fc.assert(
      fc.property(sent, fc.option(sent, { nil: undefined }), (header, query) => {
        const found = lastEventId({ headers: { 'last-event-id': header } }, { lastEventId: query })
        if (found === undefined) return
        expect([header, query]).toContain(found)
        expect(found).toMatch(/^[A-Za-z0-9._:-]{1,100}$/)
        expect(encodeEvent({ event: 'status', data: '', id: found })).toContain(`\nid: ${found}\n`)
      }),
      RUNS,
    )
  })

  it('Accept is served or refused with a problem', () => {
    fc.assert(
      fc.property(nearly('text/event-stream;q=0.5', '*/*;q=0, text/*', ',,'), (accept) => {
        const outcome = outcomeOf(() => requireEventStream(accept), Problem)
        expect(outcome?.code).toBe(outcome && 'not-acceptable')
      }),
      RUNS,
    )
  })

  it('X-Request-Id becomes an id that is safe in a header and in a log line', () => {
    fc.assert(
      fc.property(nearly('abc', '8e03978e-40d5-43e8-bc93-6894a57f9324'), (sent) => {
        const given = requestIdOf({ headers: { 'x-request-id': sent } })
        expect(given).toMatch(/^[A-Za-z0-9._~:+-]{1,64}$/)
        if (/^[\w-]{1,64}$/.test(sent)) expect(given).toBe(sent)
      }),
      RUNS,
    )
  })
})

describe('whatever a request target is,', () => {
  const target = nearly('/events?export=a#b', 'http://127.0.0.1:80/a?b', 'h+x://@:/', '*')

  it('its path holds no query and no fragment, and is a part of it', () => {
    fc.assert(
      fc.property(target, (text) => {
        expect(text.endsWith(pathAndQueryOf(text))).toBe(true)
        expect(pathAndQueryOf(text).startsWith(pathOf(text))).toBe(true)
        expect(pathOf(text)).not.toMatch(/[?#]/)
      }),
      RUNS,
    )
  })

  it('a host is the same as itself in capitals and with the default port', () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((address) => `[${address}]`),
    )
    fc.assert(
      fc.property(host, nearly('a.example:443', '[::1]:80'), (name, other) => {
        expect(isSameHost(name, `${name.toUpperCase()}:443`, 'https:')).toBe(true)
        expect(isSameHost(name, `${name}:8443`, 'https:')).toBe(false)
        expect(isSameHost(name, other, 'http:')).toBe(isSameHost(other, name, 'http:'))
      }),
      RUNS,
    )
  })
})

describe('the schemas of requests', () => {
  const schemas = {
    ...{ campaignParams, exportParams, statusHeaders, startHeaders, fileHeaders, eventHeaders },
    ...{ eventQuery, manyExportsQuery },
  }

  it.each(Object.entries(schemas))(
    '%s takes or refuses anything, and throws nothing',
    (_, schema) => {
      const text = fc.oneof(nearly('cam_A1', 'axp_A1', 'cam_A1/axp_A1', 'bytes=0-1'), fc.anything())
      const names = fc.constantFrom(...Object.keys(schema.shape), '__proto__', 'constructor')
      const fields = fc.dictionary(names, fc.oneof(text, fc.array(text)))
      fc.assert(
        fc.property(fc.oneof(fields, fc.anything()), (value) => {
          const { success, error } = schema.safeParse(value)
          if (!success) expect(error.issues.length).toBeGreaterThan(0)
        }),
        RUNS,
      )
    },
  )

  it('of many exports take 1 to 100 names, unchanged, and no name that only looks like one', () => {
    fc.assert(
      fc.property(fc.array(exportName, { maxLength: 120 }), (names) => {
        const { success, data } = manyExportsQuery.safeParse({ export: names })
        expect(success).toBe(names.length >= 1 && names.length <= 100)
        if (success) expect(data?.export).toEqual(names)
      }),
      { numRuns: 200 },
    )
    fc.assert(
      fc.property(nearly('cam_A1/axp_A1', 'cam_A1'), (name) => {
        const { success } = manyExportsQuery.safeParse({ export: name })
        expect(success).toBe(/^cam_[A-Za-z0-9]{1,64}\/[a-z]{3}_[A-Za-z0-9]{1,64}(?!\n)$/.test(name))
      }),
      RUNS,
    )
  })

  it('of ids take no line end, blank, slash or percent sign', () => {
    fc.assert(
      fc.property(
        nearly('cam_A1', 'cam_%2e'),
        nearly('axp_A1', 'axp_\n'),
        (campaignId, exportId) => {
          const { success } = exportParams.safeParse({ campaignId, exportId })
          if (success) expect(`${campaignId}${exportId}`).toMatch(/^\w+$/)
        },
      ),
      RUNS,
    )
  })

  it('of the Idempotency-Key take printable ASCII without blanks, up to 255', () => {
    fc.assert(
      fc.property(nearly('one', '8e03978e-40d5-43e8-bc93-6894a57f9324', 'x'.repeat(255)), (key) => {
        const { success } = startHeaders.safeParse({ 'idempotency-key': key })
        const isPlain = [...key].every((letter) => letter > ' ' && letter <= '~')
        const longest = key.startsWith('"') && key.endsWith('"') ? 257 : 255
        const isEmpty = key === '' || key === '""'
        expect(success).toBe(isPlain && !isEmpty && key.length <= longest)
      }),
      // Regression: the generator found the empty key in quotes only now and then.
      { ...RUNS, examples: [['""'], ['"'], [`"${'x'.repeat(255)}"`], ['x'.repeat(256)]] },
    )
  })
})
