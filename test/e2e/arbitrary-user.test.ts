import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const isRoot = process.getuid?.() === 0
/** Only root may start a process as another user. CI is root, so there the tests do not skip. */
const cannotChangeUser = !isRoot && process.env.CI !== 'true'

const CASES = [
  { name: 'the emptyDir of Kubernetes', owner: 0, group: 0, mode: 0o777, uid: 10_001, gid: 10_001 },
  {
    name: 'the folder of the image on OpenShift',
    owner: 10_001,
    group: 0,
    mode: 0o770,
    uid: 1_000_660_000,
    gid: 0,
  },
]

/** Starts a gateway as that user. Resolves to what it has said when it listens, or has ended. */
const startAs = async (uid: number, gid: number, storeUrl: string): Promise<string> => {
  const child = spawn(process.execPath, [MAIN], {
    ...{ uid, gid, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] },
    env: {
      PATH: process.env.PATH,
      LEMLIST_API_KEY: 'a-key-for-tests',
      PORT: '0',
      STORE_URL: storeUrl,
    },
  })
  const closed = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
  let said = ''
  const listening = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('"listening"')) listening.resolve()
    })
  }
  await Promise.race([listening.promise, closed])
  return said
}

describe.skipIf(cannotChangeUser)('a gateway whose user is not the owner of its folder', () => {
  it.each(CASES)('starts in $name', async ({ owner, group, mode, uid, gid }) => {
    const root = mkdtempSync(join(tmpdir(), 'user-'))
    onTestFinished(() => rmSync(root, { recursive: true, force: true }))
    chmodSync(root, 0o755)
    const data = join(root, 'data')
    mkdirSync(data)
    chownSync(data, owner, group)
    chmodSync(data, mode)
    const path = join(data, 'gateway.sqlite')
    expect(await startAs(uid, gid, `sqlite:${path}`)).toContain('"listening"')
    const file = statSync(path)
    expect({ uid: file.uid, mode: file.mode & 0o777 }).toEqual({ uid, mode: 0o600 })
  })
})
