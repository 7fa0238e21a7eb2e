import { describe, expect, it } from 'vitest'
import { createLogger } from '../../../src/telemetry/log.ts'

describe('the logger', () => {
  it.each([true, false])('logs from its level on, with somebody reading along: %s', (terminal) => {
    const logger = createLogger({ level: 'warn', terminal })
    expect(logger.isLevelEnabled('warn')).toBe(true)
    expect(logger.isLevelEnabled('info')).toBe(false)
  })

  it('says nothing of the machine and the process, whose lines are told apart elsewhere', () => {
    expect(createLogger({ level: 'silent', terminal: false }).bindings()).toEqual({})
  })
})
