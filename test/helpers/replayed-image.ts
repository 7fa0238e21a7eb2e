import { execFile } from 'node:child_process'
import { cp, lstat, mkdir, readdir, readFile, realpath } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { promisify } from 'node:util'
import { enter, type Mount, makeFolder, makeRoot, PATH, type Run, type User } from './chroot.ts'
import { ignoredBy, type Step } from './dockerfile.ts'

/**
 * The image that the steps of a Dockerfile make, without a container engine. The files of the last
 * stage are in `root`.
 */
export interface Image {
  readonly root: string
  readonly base: string
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly user: User
  readonly volumes: readonly string[]
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
}

const execute = promisify(execFile)

/** Carries out all steps. Files come from `context`; each stage gets a folder in `directory`. */
export async function replay(
  steps: readonly Step[],
  context: string,
  directory: string,
): Promise<Image> {
  const ignored = ignoredBy(await readFile(join(context, '.dockerignore'), 'utf8'))
  const stages = new Map<string, Stage>()
  let stage: Stage | undefined
  for (const step of steps) {
    if (step.do === 'FROM') {
      stage = await newStage(step.image, join(directory, `stage-${stages.size}`))
      stages.set(step.as ?? String(stages.size), stage)
      continue
    }
    if (!stage) throw new Error(`${step.do} before FROM`)
    switch (step.do) {
      case 'COPY': {
        const from = step.from === undefined ? undefined : stages.get(step.from)
        if (step.from !== undefined && !from) throw new Error(`COPY from no stage: ${step.from}`)
        await copy(stage, step.paths, from?.root ?? context, from ? undefined : ignored)
        break
      }
      case 'RUN':
        await build(stage, step.argv)
        break
      case 'WORKDIR':
        stage.workdir = posix.resolve(stage.workdir, step.value)
        await makeFolder(stage.root, stage.workdir)
        break
      case 'ENV':
        stage.env = { ...stage.env, ...step.values }
        break
      case 'USER':
        stage.user = step
        break
      case 'VOLUME':
        stage.volumes.push(step.value)
        break
      case 'CMD':
        stage.command = step.argv
        break
      case 'HEALTHCHECK':
        stage.healthcheck = step.argv
        break
      case 'EXPOSE':
        break
    }
  }
  if (!stage) throw new Error('No stage')
  const { command, healthcheck } = stage
  if (!command || !healthcheck) throw new Error('The last stage has no CMD or no HEALTHCHECK')
  return { ...stage, command, healthcheck }
}

interface Stage {
  readonly root: string
  readonly base: string
  workdir: string
  env: Readonly<Record<string, string>>
  user: User
  readonly volumes: string[]
  command?: readonly string[]
  healthcheck?: readonly string[]
}

async function newStage(base: string, root: string): Promise<Stage> {
  await makeRoot(root)
  return { root, base, workdir: '/', env: { PATH }, user: { uid: 0, gid: 0 }, volumes: [] }
}

/**
 * Copies as Docker's COPY does. A folder's content goes into the target. A file becomes the target,
 * or goes into it when the target ends in a slash.
 */
async function copy(
  stage: Stage,
  paths: readonly string[],
  from: string,
  ignored: ((path: string) => boolean) | undefined,
): Promise<void> {
  const target = paths.at(-1) ?? ''
  for (const path of paths.slice(0, -1)) {
    const source = join(from, path)
    const isFolder = (await lstat(source)).isDirectory()
    const isInto = target.endsWith('/') && !isFolder
    const to = posix.resolve(stage.workdir, isInto ? `${target}${posix.basename(path)}` : target)
    if (isFolder && ignored === undefined) {
      await copyAll(source, stage.root, to)
      continue
    }
    const files = isFolder ? await readdir(source, { recursive: true, withFileTypes: true }) : []
    const inside = files
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(source.length))
    let copied = 0
    for (const file of isFolder ? inside : ['']) {
      if (ignored?.(posix.join(path, file))) continue
      copied += 1
      await makeFolder(stage.root, dirname(join(to, file)))
      await cp(join(source, file), join(stage.root, to, file), { verbatimSymlinks: true })
    }
    // A container engine also fails when .dockerignore keeps the source out.
    if (copied === 0) throw new Error(`COPY finds nothing in ${path}`)
  }
}

/** Copies the content of a folder. `cp` needs a tenth of the time of Node for thousands of files. */
async function copyAll(source: string, root: string, to: string): Promise<void> {
  if ((await readdir(source)).length === 0) throw new Error(`COPY finds nothing in ${source}`)
  await makeFolder(root, to)
  await execute('cp', ['-dR', '--preserve=mode', `${source}/.`, join(root, to)])
}

/**
 * Carries out a RUN step. The root is writable. npm uses the settings and the cache of this
 * machine; the rest of the machine is mounted read-only.
 */
async function build(stage: Stage, argv: readonly string[]): Promise<void> {
  const npm = await realpath(dirname((await execute('sh', ['-c', 'command -v npm'])).stdout.trim()))
  const names = ['cache', 'cafile', 'registry', 'userconfig']
  const printed = await execute('npm', ['config', 'get', ...names], { cwd: '/' })
  const settings = new Map(
    printed.stdout.split('\n').flatMap((line) => {
      const [, name, value] = /^(\w+)=(.+)$/.exec(line) ?? []
      return name === undefined || value === undefined || value === 'null' ? [] : [[name, value]]
    }),
  )
  const cache = settings.get('cache')
  if (cache === undefined) throw new Error(`npm names no cache: ${printed.stdout}`)
  await mkdir(cache, { recursive: true })
  const mounts: Mount[] = [[cache, cache, 'rw']]
  const certificates = process.env.NODE_EXTRA_CA_CERTS
  const needed = [dirname(npm), settings.get('userconfig'), settings.get('cafile'), certificates]
  for (const path of needed) {
    const exists = path?.startsWith('/') && (await lstat(path).catch(() => undefined))
    if (path && exists && !/^\/(usr|etc)(\/|$)/.test(path)) mounts.push([path, path, 'ro'])
  }
  const env: Record<string, string> = { ...stage.env, PATH: `${stage.env.PATH}:${npm}` }
  for (const [name, value] of settings) env[`npm_config_${name}`] = value
  // What the installation of this project has in npm's cache is not asked for again: a registry that does
  // not answer would hold up the test for npm's own five minutes.
  env.npm_config_prefer_offline = 'true'
  env.npm_config_fetch_timeout = '60000'
  for (const [name, value = ''] of Object.entries(process.env)) {
    if (/^(https?_proxy|no_proxy|node_extra_ca_certs)$/i.test(name)) env[name] = value
  }
  const step = await enter(argv, { ...stage, env, mounts, mode: 'rw' })
  const code = await step.exited
  if (code !== 0) throw new Error(`RUN ${argv.join(' ')} ended with ${code}:\n${step.output()}`)
}

/**
 * Starts a command as the image's user. The root is read-only and the volumes are writable, as with
 * `docker run --read-only`.
 */
export function run(
  image: Image,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const volumes = image.volumes.map((path): Mount => [join(image.root, path), path, 'rw'])
  return enter(argv, { ...image, env: { ...image.env, ...env }, mounts: volumes, mode: 'ro' })
}
