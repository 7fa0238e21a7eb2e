import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { PLANTS, planted } from '../helpers/fleet/plants.ts'

const ROOT = new URL('../../', import.meta.url)

describe('a bug that is planted into a fleet', () => {
  // The long tests alone noticed that a plant did not fit the code any more.
  it.each(Object.entries(PLANTS))('changes the code as it is: %s', (_, plants) => {
    for (const { file } of plants) {
      const code = readFileSync(new URL(file, ROOT), 'utf8')
      expect(planted(plants, file, code)).not.toBe(code)
    }
  })
})
