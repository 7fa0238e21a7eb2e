import { lstat, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Run, replayObstacle } from '../helpers/chroot.ts'
import { ignoredBy, parseDockerfile } from '../helpers/dockerfile.ts'
import { freePort } from '../helpers/free-port.ts'
import { type Image, replay, run } from '../helpers/replayed-image.ts'

const project = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string) => readFile(join(project, file), 'utf8')

describe('the reader of Dockerfiles', () => {
  it.each(['', '# nothing but words\n', '\n\n', 'RUN true\n', 'ENV A=1\nFROM node\n'])(
    'refuses a file without steps: %j',
    (text) => {
      expect(() => parseDockerfile(text)).toThrow('no steps')
    },
  )

  it.each([
    ...['ADD . /app', 'COPY --chmod=777 a b', 'COPY a* b', 'COPY a', 'USER node', 'RUN <<EOF'],
    ...['ENV A=$B', 'SHELL ["bash"]', 'HEALTHCHECK NONE', 'CMD ["node", 1]', 'ENTRYPOINT ["sh"]'],
  ])('refuses a step that it cannot replay: %s', (step) => {
    expect(() => parseDockerfile(`FROM node\n${step}\n`)).toThrow()
  })

  it('joins continued lines and drops the comments in them', () => {
    const steps = parseDockerfile('FROM node AS a\n# one\nRUN one \\\n  # two\n  && two\n')
    expect(steps).toEqual([
      { do: 'FROM', image: 'node', as: 'a' },
      { do: 'RUN', argv: ['/bin/sh', '-c', expect.stringMatching(/^one +&& two$/)] },
    ])
  })
})

describe('.dockerignore', () => {
  it('keeps secrets, data, tests and history out of every image', async () => {
    const ignored = ignoredBy(await read('.dockerignore'))
    for (const path of [
      ...['.env', '.env.production', '.git/config', 'secrets/lemlist-api-key', 'compose.yaml'],
      ...[
        'data/gateway.sqlite',
        'test/e2e/dockerfile.test.ts',
        'node_modules/fastify/package.json',
      ],
      ...['src/.env', 'src/node_modules/a/index.js', 'src/debug.log', 'src/gateway.sqlite-wal'],
      ...['coverage/index.html', 'tools/write-openapi.ts', 'README.md'],
    ]) {
      expect(ignored(path), path).toBe(true)
    }
    for (const path of ['package.json', 'src/main.ts', 'src/http/routes/status.ts']) {
      expect(ignored(path), path).toBe(false)
    }
  })
})

const obstacle = await replayObstacle()

describe(`the image, built and run without an engine${obstacle ? ` - ${obstacle}` : ''}`, () => {
  if (obstacle) {
    // On a machine of one's own this is a visible skip; where the word of the tests counts, it is a failure.
    it.skipIf(process.env.CI !== 'true')('can be replayed here', () => {
      expect(obstacle).toBeUndefined()
    })
    return
  }

  let directory: string
  let image: Image
  const started: Run[] = []

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockerfile-'))
    image = await replay(parseDockerfile(await read('Dockerfile')), project, directory)
  }, 300_000)

  afterEach(async () => {
    for (const { pid, exited } of started.splice(0)) {
      const running = await pid()
      if (running > 0) process.kill(running, 'SIGKILL')
      await exited
    }
  })

  afterAll(async () => {
    // Had a mount outlived its namespace, this would delete the machine's own files.
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(directory)
    await rm(directory, { recursive: true })
  })

  const start = async (argv: readonly string[], env?: Readonly<Record<string, string>>) => {
    const running = await run(image, argv, env)
    started.push(running)
    return running
  }

  it('stands on the Node that the project is developed with', async () => {
    const { version } = JSON.parse(await read('tools/local-node/package.json'))
    const images = parseDockerfile(await read('Dockerfile')).filter((step) => step.do === 'FROM')
    expect(new Set(images.map((step) => step.image))).toEqual(new Set([image.base]))
    expect(image.base).toBe(`node:${version}-bookworm-slim`)
    expect(process.version).toBe(`v${version}`)
  })

  it('holds the sources, the production packages of the lockfile and nothing else', async () => {
    expect((await readdir(join(image.root, 'app'))).sort()).toEqual([
      ...['compiled', 'node_modules', 'package.json', 'src'],
    ])
    expect((await readdir(join(image.root, 'app/compiled'))).length).toBe(1)
    // npm's own format, version 3 of the lockfile; with another one no package is found, which fails.
    const packagesOf = async (file: string) =>
      JSON.parse(await readFile(file, 'utf8')).packages as Record<string, { dev?: true }>
    const locked = Object.entries(await packagesOf(join(project, 'package-lock.json')))
    const production = locked.filter(([path, { dev }]) => path.startsWith('node_modules/') && !dev)
    const expected = production
      .map(([path]) => path)
      .filter((path) => !path.endsWith('/local-node'))
    expect(expected).toContain('node_modules/fastify')
    const installed = await packagesOf(join(image.root, 'app/node_modules/.package-lock.json'))
    // npm notes the folder that the link would lead to, though it makes no link.
    const { 'tools/local-node': _, ...found } = installed
    expect(Object.keys(found).sort()).toEqual(expected.sort())
    const development = locked.filter(([, { dev }]) => dev).map(([path]) => path)
    expect(development).toContain('node_modules/vitest')
    for (const path of [...development, 'node_modules/local-node', 'node_modules/.bin/node']) {
      await expect(lstat(join(image.root, 'app', path)), path).rejects.toThrow('ENOENT')
    }
  })

  it('says where it writes, who it is and what it runs, without a shell around it', () => {
    expect(image.volumes).toEqual(['/data'])
    expect(image.env).toMatchObject({
      NODE_ENV: 'production',
      HOST: '0.0.0.0',
      PORT: '8080',
      STORE_URL: 'sqlite:/data/gateway.sqlite',
    })
    expect(image.env).not.toHaveProperty('AUTH')
    expect(image.user.uid).toBeGreaterThan(0)
    expect(image.user.gid).toBeGreaterThan(0)
    expect(image.command).toEqual(['node', 'src/main.ts'])
    expect(image.healthcheck[0]).toBe('node')
  })

  it('can write to its volume and nowhere else', async () => {
    const write = (path: string) => start(['/bin/sh', '-c', `id -u && touch ${path}`])
    const allowed = await write('/data/written')
    expect(await allowed.exited).toBe(0)
    expect(allowed.output()).toBe(`${image.user.uid}\n`)
    for (const path of ['/app/written', '/app/src/written', '/tmp/written', '/written']) {
      const refused = await write(path)
      expect(await refused.exited, path).not.toBe(0)
      expect(refused.output()).toContain('Read-only file system')
    }
  })

  it('starts as its user on a read-only root, is healthy by its own check and ends with 0 on SIGTERM', async () => {
    const PORT = String(await freePort())
    const env = { PORT, AUTH: 'none', LEMLIST_API_KEY: 'no-real-key', DRAIN_DELAY_MS: '0' }
    const before = await start(image.healthcheck, env)
    expect(await before.exited, 'the check of a gateway that is not there').toBe(1)

    const gateway = await start(image.command, env)
    await answering(`http://127.0.0.1:${PORT}/health/live`, gateway)
    const check = await start(image.healthcheck, env)
    expect(await check.exited, check.output()).toBe(0)

    const pid = await gateway.pid()
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    expect(status).toMatch(/^NSpid:\t\d+\t1$/m)
    expect(status).toMatch(new RegExp(`^Uid:(\t${image.user.uid}){4}$`, 'm'))
    expect(status).toMatch(new RegExp(`^Gid:(\t${image.user.gid}){4}$`, 'm'))
    expect(status).toMatch(/^Groups:\s*$/m)
    expect(await readlink(`/proc/${pid}/exe`)).toMatch(/\/node$/)

    const database = await stat(join(image.root, 'data/gateway.sqlite'))
    expect(database.uid).toBe(image.user.uid)
    expect(database.mode & 0o777).toBe(0o600)

    process.kill(pid, 'SIGTERM')
    expect(await gateway.exited, gateway.output()).toBe(0)
  })

  it('does not start open: without AUTH it ends with 78 and says so', async () => {
    const gateway = await start(image.command, {
      ...{ PORT: String(await freePort()), LEMLIST_API_KEY: 'no-real-key' },
    })
    expect(await gateway.exited, gateway.output()).toBe(78)
    expect(gateway.output()).toContain('AUTH')
    expect(gateway.output()).not.toContain('no-real-key')
  })
})

/** Resolves with the first good answer; throws with the output when the process ends or 20 s pass before. */
async function answering(url: string, running: Run): Promise<void> {
  const deadline = Date.now() + 20_000
  let code: number | null | undefined
  void running.exited.then((ended) => {
    code = ended
  })
  while (code === undefined && Date.now() < deadline) {
    const isUp = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    )
    if (isUp) return
    await delay(50)
  }
  throw new Error(`Not up (exit code ${code}):\n${running.output()}`)
}
