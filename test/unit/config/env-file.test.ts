import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { addEnvFile } from '../../../src/config/env-file.ts'

const pathOf = (content?: string | Buffer): string => {
  const folder = mkdtempSync(join(tmpdir(), 'env-file-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'env')
  if (content !== undefined) writeFileSync(path, content)
  return path
}

const read = (path: string, env: Record<string, string | undefined> = {}) => {
  addEnvFile(path, env)
  return env
}

describe('a file of variables', () => {
  it('may be absent', () => {
    expect(read(pathOf(), { A: '1' })).toEqual({ A: '1' })
  })

  it('adds to the environment, which wins unless it is empty', () => {
    const path = pathOf('A=file\nB="in quotes"\n# C=comment\nD=file\n')
    expect(read(path, { A: 'env', D: '' })).toEqual({ A: 'env', B: 'in quotes', D: 'file' })
  })

  // Regression: the first name began with the byte order mark, and was not found.
  it.each([
    ['a byte order mark', '\ufeffA=1\nB=2\n'],
    ['the line ends of Windows', 'A=1\r\nB=2\r\n'],
  ])('may have %s', (_, text) => {
    expect(read(pathOf(text))).toEqual({ A: '1', B: '2' })
  })

  // Regression: no name was found, and nothing was said.
  it.each([
    ['little-endian', Buffer.from('\ufeffA=secret\n', 'utf16le')],
    ['big-endian', Buffer.from('\ufeffA=secret\n', 'utf16le').swap16()],
    ['without a byte order mark', Buffer.from('A=secret\n', 'utf16le')],
  ])('is refused by name when it is UTF-16, %s', (_, bytes) => {
    const path = pathOf(bytes)
    expect(() => read(path)).toThrow(`${path}: is not UTF-8 text`)
    expect(() => read(path)).not.toThrow('secret')
  })

  // Regression: a stack trace.
  it('is refused by name when it is a directory', () => {
    const path = pathOf()
    mkdirSync(path)
    expect(() => read(path)).toThrow(`${path}: is a directory`)
  })
})
