import { describe, expect, it } from 'vitest'
import { exportParams } from '../../../../src/http/openapi/schemas.ts'
import { soundExportIds } from '../../../../src/http/openapi/sound-ids.ts'

/** Characters at the ends of each range, and those beside them. */
const CHARACTERS = ['/', '0', '9', ':', '@', 'A', 'Z', '[', '`', 'a', 'z', '{', '_', '\n', 'é', '']
const LENGTHS = [0, 1, 63, 64, 65]

const endings = [
  ...CHARACTERS.flatMap((one) => [`a${one}a`, `${one}a`, `a${one}`, one]),
  ...LENGTHS.map((length) => 'x'.repeat(length)),
]
const campaignIds = [
  ...endings.map((ending) => `cam_${ending}`),
  ...['', 'cam', 'cam_', 'Cam_a', 'axp_a', ' cam_a', 'camXa'],
]
const exportIds = [
  ...endings.map((ending) => `axp_${ending}`),
  ...CHARACTERS.flatMap((one) => [`${one}xp_a`, `a${one}p_a`, `ax${one}_a`, `axp${one}a`]),
  ...['', 'axp', 'axp_'],
]
const pairs = [
  ...campaignIds.map((campaignId) => ({ campaignId, exportId: 'axp_b' })),
  ...exportIds.map((exportId) => ({ campaignId: 'cam_b', exportId })),
]

describe('the quick check of ids', () => {
  it.each(pairs)('says of $campaignId and $exportId what the schema says', (ids) => {
    expect(soundExportIds(ids) !== undefined).toBe(exportParams.safeParse(ids).success)
  })

  it('says the same of ids that it has seen before', () => {
    for (const ids of [...pairs, ...pairs]) {
      const { data } = exportParams.safeParse(ids)
      expect(soundExportIds(ids)?.value).toEqual(data)
    }
  })

  it('takes no campaign for another one because the export is the same', () => {
    const exportId = 'axp_twice'
    for (const campaignId of ['cam_one', 'cam_two', 'cam_one', 'cam_!']) {
      const { data } = exportParams.safeParse({ campaignId, exportId })
      expect(soundExportIds({ campaignId, exportId })?.value).toEqual(data)
    }
  })

  it('gives the same strings each time, also after more ids than it remembers', () => {
    const ids = { campaignId: 'cam_a', exportId: 'axp_a' }
    const first = soundExportIds(ids)
    expect(soundExportIds({ ...ids })).toBe(first)
    for (let count = 0; count <= 4_000; count += 1) {
      soundExportIds({ campaignId: 'cam_a', exportId: `axp_${count}` })
    }
    expect(soundExportIds(ids)).not.toBe(first)
    expect(soundExportIds(ids)).toEqual(first)
  })

  it('is tried with sound ids and with others', () => {
    const sound = pairs.filter((ids) => soundExportIds(ids) !== undefined)
    expect(sound.length).toBeGreaterThan(10)
    expect(pairs.length - sound.length).toBeGreaterThan(10)
  })
})
