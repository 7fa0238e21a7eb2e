import { describe, expect, it, vi } from 'vitest'
import { createLogger, lineWriter } from '../../../src/telemetry/log.ts'
import { createOutput } from '../../../src/telemetry/output.ts'
import { fakeSink } from '../../helpers/fake-sink.ts'
import { logLines } from '../../helpers/gateway.ts'

const begin = (level: string, { terminal = false, maxBytes = 1_000 } = {}) => {
  const sink = fakeSink()
  const output = createOutput(sink, maxBytes)
  return { sink, output, logger: createLogger({ level, terminal, output }) }
}

describe('the logger', () => {
  it.each([true, false])('logs from its level on, with a terminal: %s', (terminal) => {
    const { logger } = begin('warn', { terminal })
    expect(logger.isLevelEnabled('warn')).toBe(true)
    expect(logger.isLevelEnabled('info')).toBe(false)
  })

  it('adds neither the host name nor the process id to its lines', async () => {
    const { logger, output, sink } = begin('info')
    logger.info({ a: 1 }, 'a message')
    await output.end()
    const [line = {}] = logLines(sink.text())
    expect(Object.keys(line)).toEqual(['level', 'time', 'a', 'msg'])
  })

  it('writes a prepared line like any other', async () => {
    const { logger, output, sink } = begin('info')
    logger.warn({ a: 1, b: 'c' }, 'a message')
    lineWriter(logger, 'a message')('warn', ',"a":1,"b":"c"')
    await output.end()
    const time = /(?<="time":")[^"]+/
    const [one = '', other = ''] = sink.text().split('\n')
    expect(other.replace(time, '')).toBe(one.replace(time, ''))
    expect(Date.now() - Date.parse(time.exec(other)?.[0] ?? '')).toBeLessThan(60_000)
  })

  it('tells the time of a prepared line to the millisecond', async ({ onTestFinished }) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const { logger, output, sink } = begin('info')
    const times = ['59.999Z', '59.999Z', '00.000Z', '00.007Z', '00.080Z', '01.000Z', '00.999Z']
    const asIso = times.map((time) => `2026-01-02T03:0${time.startsWith('59') ? 4 : 5}:${time}`)
    for (const time of asIso) {
      vi.setSystemTime(Date.parse(time))
      lineWriter(logger, 'a message')('info', ',"a":1')
    }
    await output.end()
    expect(logLines(sink.text()).map(({ time }) => time)).toEqual(asIso)
  })

  it('writes lines for people to a terminal, each at once', async () => {
    const { logger, sink } = begin('info', { terminal: true })
    logger.info({ a: 1 }, 'a message')
    await Promise.resolve()
    await sink.gate
    expect(sink.text()).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] .*INFO.*a message/)
  })

  it.each(['info', 'error'])('tells at level %s how many lines were lost', async (level) => {
    const { logger, output, sink } = begin(level)
    sink.room = 0
    sink.fault = 'ENOSPC'
    for (let n = 0; n < 100; n += 1) logger.error({ n }, 'a message')
    await output.end()
    expect(sink.text()).toBe('')
    sink.room = Number.POSITIVE_INFINITY
    await output.end()
    await output.end()
    const lines = logLines(sink.text())
    const lost = lines.find(({ msg }) => String(msg).startsWith('log lines were lost'))
    expect(lost).toMatchObject({ level: 40, lines: 100 - (lines.length - 1) })
  })
})
