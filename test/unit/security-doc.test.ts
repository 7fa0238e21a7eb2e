import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/** SECURITY.md claims that a test proves each of its rows. */
const project = fileURLToPath(new URL('../../', import.meta.url))
const text = readFileSync(join(project, 'SECURITY.md'), 'utf8')

const [, section = ''] = text.split('\n## Threats\n')
const [table = ''] = section.split('\n## ')
/** The cells of each row below the heads of the columns. */
const rows = table
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )

describe('the threats of SECURITY.md', () => {
  it('are many, and each says who, what for, what stops them and which test proves it', () => {
    expect(rows.length).toBeGreaterThan(15)
    for (const row of rows) {
      expect(row).toHaveLength(4)
      expect(row).not.toContain('')
    }
  })

  it('each name tests that exist', () => {
    for (const [who = '', wish = '', , tests = ''] of rows) {
      const files = tests.split(', ').map((name) => /^`(test\/.+\.test\.ts)`$/.exec(name)?.[1])
      for (const file of files) {
        expect(file, `${who}: ${wish}: ${tests}`).toBeDefined()
        expect(existsSync(join(project, file ?? '')), file).toBe(true)
      }
    }
  })
})
