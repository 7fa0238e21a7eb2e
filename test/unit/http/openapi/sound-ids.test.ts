import { describe, expect, it } from 'vitest'
import { exportParams } from '../../../../src/http/openapi/schemas.ts'
import { areExportIds } from '../../../../src/http/openapi/sound-ids.ts'

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
    expect(areExportIds(ids)).toBe(exportParams.safeParse(ids).success)
  })

  it('is tried with sound ids and with others', () => {
    const sound = pairs.filter(areExportIds)
    expect(sound.length).toBeGreaterThan(10)
    expect(pairs.length - sound.length).toBeGreaterThan(10)
  })
})
