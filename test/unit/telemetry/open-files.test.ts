import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { watchOpenFiles } from '../../../src/telemetry/open-files.ts'
import { useFakeTime } from '../../helpers/fake-time.ts'
import { logLines, memoryLogger } from '../../helpers/gateway.ts'

const begin = (fault: () => string | undefined) => {
  useFakeTime()
  const { logger, text } = memoryLogger()
  const end = watchOpenFiles(logger, async () => {
    const code = fault()
    if (code !== undefined) throw Object.assign(new Error(code), { code })
  })
  onTestFinished(end)
  const warnings = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms)
    return logLines(text()).filter(({ msg }) => String(msg).startsWith('no file descriptor'))
  }
  return { warnings, end }
}

describe('the watch over file descriptors', () => {
  it.each(['EMFILE', 'ENFILE'])('warns of %s once a minute', async (code) => {
    const { warnings } = begin(() => code)
    expect(await warnings(1_000)).toMatchObject([{ level: 40, code }])
    expect(await warnings(59_000)).toHaveLength(1)
    expect(await warnings(60_000 * 9)).toHaveLength(10)
  })

  it.each([undefined, 'EACCES'])('says nothing of %s', async (code) => {
    const { warnings } = begin(() => code)
    expect(await warnings(600_000)).toEqual([])
  })

  it('ends', async () => {
    const { warnings, end } = begin(() => 'EMFILE')
    end()
    expect(await warnings(600_000)).toEqual([])
  })
})
