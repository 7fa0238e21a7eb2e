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
 * Runs a command in a folder as if the folder were the root of a machine, by chroot in new mount
 * and process namespaces. A base image would bring a C library, a shell and npm. Here those of this
 * machine are mounted read-only, and Node is the one that runs the tests. Needs root on Linux.
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
  /** Everything that the command has written to stdout and stderr so far. */
  readonly output: () => string
  /** Resolves to the exit code of the command. */
  readonly exited: Promise<number | null>
  /** The number, outside of the new namespace, of its PID 1; 0 when there is no such process. */
  readonly pid: () => Promise<number>
}

/** Why this machine cannot replay an image; undefined when it can. */
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

/** Makes mount points in the folder, and links where `/bin` or `/lib` of this machine is a link. */
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

/** Makes a folder and its parents with mode 755, whatever the umask of this process is. */
export async function makeFolder(root: string, path: string): Promise<void> {
  let folder = root
  for (const part of ['', ...path.split('/').filter(Boolean)]) {
    folder = join(folder, part)
    const made = await mkdir(folder, { recursive: true })
    if (made !== undefined) await chmod(folder, 0o755)
  }
}

/**
 * Each program replaces itself by the next: the shell by chroot, chroot by env, env by the command.
 * So the command is PID 1 of its process namespace, as in a container.
 */
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
  /** Whether the command may write to the root. Each mount has a mode of its own. */
  readonly mode: 'ro' | 'rw'
  readonly mounts: readonly Mount[]
  readonly user: User
  readonly workdir: string
  /** The whole environment of the command. It inherits nothing from this process. */
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
