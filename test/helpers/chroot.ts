import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  realpath,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

/**
 * Runs a command in a folder as if that were the root of a machine: chroot in mount and process namespaces of its
 * own. What a base image would bring (a C library, a shell, npm) is this machine's, mounted read-only, and the Node
 * in there is the one that runs the tests. Needs root on Linux.
 */
const execute = promisify(execFile)
const NODE = '/opt/node/bin/node'
const MACHINE = /^(usr|etc|dev|s?bin|lib\w*)$/

export const PATH = `${dirname(NODE)}:/usr/local/bin:/usr/bin:/bin`

export interface User {
  readonly uid: number
  readonly gid: number
}

export type Mount = readonly [from: string, to: string, mode: 'ro' | 'rw']

export interface Run {
  /** All it wrote so far, both streams. */
  readonly output: () => string
  /** Its exit code. */
  readonly exited: Promise<number | null>
  /** The number, seen from here, of the process that is PID 1 in there; 0 when there is none. */
  readonly pid: () => Promise<number>
}

/** Why nothing can be replayed here; undefined when all is there. */
export async function replayObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'only Linux has mount namespaces'
  if (process.getuid?.() !== 0) return 'only root may mount and chroot'
  const probe = 'mount --bind /usr /usr && mount -o remount,bind,ro /usr'
  try {
    await execute('unshare', ['--mount', '--pid', '--fork', 'sh', '-c', probe])
    return undefined
  } catch (error) {
    return `no mount namespace: ${String(error)}`
  }
}

/** Makes the folder a root: mount points, and the links by which `/bin` and `/lib` may be part of `/usr`. */
export async function makeRoot(root: string): Promise<void> {
  for (const folder of ['/', '/proc', '/tmp', dirname(NODE)]) await makeFolder(root, folder)
  await chmod(join(root, 'tmp'), 0o1777)
  await writeFile(join(root, NODE), '')
  for (const name of (await readdir('/')).filter((one) => MACHINE.test(one))) {
    const isLink = (await lstat(`/${name}`)).isSymbolicLink()
    if (isLink) await symlink(await realpath(`/${name}`), join(root, name))
    else await makeFolder(root, name)
  }
}

/** As root's umask 022 would, whatever the umask here. */
export async function makeFolder(root: string, path: string): Promise<void> {
  let folder = root
  for (const part of ['', ...path.split('/').filter(Boolean)]) {
    folder = join(folder, part)
    const made = await mkdir(folder, { recursive: true })
    if (made !== undefined) await chmod(folder, 0o755)
  }
}

/** The shell becomes chroot, chroot env, env the command: it is PID 1 of its process namespace, as in a container. */
const ENTER = `set -eu
root=$1 mode=$2; shift 2
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  mount --rbind "$1" "$root$2"
  if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
  shift 3
done
shift
mount -t proc proc "$root/proc"
if [ "$mode" = ro ]; then mount -o remount,bind,ro "$root"; fi
exec chroot "$@"`

export interface Entry {
  readonly root: string
  /** Whether the root can be written to; a mount says so for itself. */
  readonly mode: 'ro' | 'rw'
  readonly mounts: readonly Mount[]
  readonly user: User
  readonly workdir: string
  /** The whole environment: nothing of this process's gets in. */
  readonly env: Readonly<Record<string, string>>
}

export async function enter(argv: readonly string[], entry: Entry): Promise<Run> {
  const { root, mode, user, workdir, env } = entry
  for (const [from, to] of entry.mounts) {
    const isFolder = (await lstat(from)).isDirectory()
    await makeFolder(root, isFolder ? to : dirname(to))
    if (!isFolder) await writeFile(join(root, to), '')
  }
  const machine = (await readdir(root, { withFileTypes: true }))
    .filter((one) => one.isDirectory() && MACHINE.test(one.name))
    .map(({ name }): Mount => [`/${name}`, `/${name}`, 'ro'])
  const mounts: readonly Mount[] = [...machine, [process.execPath, NODE, 'ro'], ...entry.mounts]
  const child = spawn(
    'unshare',
    [
      ...[
        '--mount',
        '--pid',
        '--fork',
        'sh',
        '-c',
        ENTER,
        'sh',
        root,
        mode,
        ...mounts.flat(),
        '--',
      ],
      ...[`--userspec=${user.uid}:${user.gid}`, '--groups=', root, 'env', '-i', '-C', workdir],
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      ...argv,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return {
    output: () => output,
    exited: once(child, 'close').then(([code]) => code),
    pid: async () => {
      const children = `/proc/${child.pid}/task/${child.pid}/children`
      return Number(await readFile(children, 'utf8').catch(() => '0'))
    },
  }
}
