import { describe, expect, it } from 'vitest'
import { createLogger } from '../../../src/telemetry/log.ts'

describe('the logger', () => {
  it.each([true, false])('logs from its level on, with a terminal: %s', (terminal) => {
    const logger = createLogger({ level: 'warn', terminal })
    expect(logger.isLevelEnabled('warn')).toBe(true)
    expect(logger.isLevelEnabled('info')).toBe(false)
  })

  it('adds neither the host name nor the process id to its lines', () => {
    expect(createLogger({ level: 'silent', terminal: false }).bindings()).toEqual({})
  })
})
