import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { sandbox } from '../../src/sandbox/main.ts'
import { curlObstacle, runCurl } from '../helpers/curl.ts'
import { fakeHost } from '../helpers/fake-host.ts'
import { fencesIn, missingFrom, sessionsIn } from '../helpers/markdown.ts'

const project = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string): string => readFileSync(join(project, file), 'utf8')
const manifest = JSON.parse(read('package.json'))
const obstacle = await curlObstacle()

/** These documents show requests and answers. */
const SHOWING = ['README.md', 'docs/api.md'] as const
/** These documents show programs, each run by a test of its own. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  // clients.test.ts runs them, except `go`.
  'docs/clients.md': ['js', 'python', 'go', 'bash'],
  // access-doc.test.ts runs them, and other-origin.test.ts runs `html`. oauth2-proxy and nginx are
  // not here to run `text`.
  'docs/access.md': ['console', 'sh', 'json', 'js', 'python', 'html', 'text', 'mermaid'],
  // documented-proxies.test.ts runs `caddy`, `apache` and `vcl`, http-proxy-middleware.test.ts `js`,
  // below-a-path.test.ts `nginx`, rights.test.ts `text`, and followed.test.ts compares `json`.
  'docs/operations.md': ['caddy', 'apache', 'vcl', 'js', 'nginx', 'text', 'json'],
}
/** These are all documents for people, except the changelog. */
const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/*.md', { cwd: project })]

const SESSIONS = SHOWING.flatMap((document) =>
  sessionsIn(read(document)).map((commands) => ({
    document,
    commands,
    first: commands[0]?.line ?? '',
  })),
)

describe('the judge of examples', () => {
  const answer = 'HTTP/1.1 200 OK\netag: "abc"\nage: 0\n\n{"a":1,"b":2}'

  it('lets an answer through that says the same', () => {
    expect(missingFrom(answer, ['HTTP/1.1 200 OK', 'etag: "…"', '{…,"b":2}'])).toEqual([])
  })

  it('tells what an answer does not say, or says earlier', () => {
    expect(missingFrom(answer, ['HTTP/1.1 404 Not Found', 'age: 1'])).toHaveLength(2)
    expect(missingFrom(answer, ['age: 0', 'etag: "…"'])).toEqual(['etag: "…"'])
    expect(missingFrom(answer, ['{"a":1'])).toHaveLength(1)
  })

  it('reads commands one after the other, also one of two lines', () => {
    const markdown = '```console\n$ curl -i \\\n    a\none\n\ntwo\n$ curl -i b\nthree\n```\n'
    expect(sessionsIn(markdown)).toEqual([
      [
        { line: 'curl -i a', printed: ['one', 'two'] },
        { line: 'curl -i b', printed: ['three'] },
      ],
    ])
  })
})

describe.each(SHOWING)('%s', (document) => {
  it('has examples, each with the answer below it', () => {
    const commands = sessionsIn(read(document)).flat()
    expect(commands.length).toBeGreaterThan(3)
    expect(commands.length).toBe(read(document).match(/\bcurl -/g)?.length)
    for (const { line, printed } of commands) {
      expect(line).toMatch(/^curl /)
      expect(printed[0], line).toBeDefined()
    }
  })
})

describe('the documents', () => {
  it('show nothing that no test runs', () => {
    const fences = DOCUMENTS.flatMap((document) =>
      fencesIn(read(document)).map(({ language }) => ({ document, language })),
    )
    expect(fences.length).toBeGreaterThan(15)
    for (const { document, language } of fences) {
      // The last suite runs `console`, and readme-watching.test.ts runs `js`. The next test judges
      // `sh`. A `mermaid` block is a drawing.
      const isShown = SHOWING.some((showing) => showing === document)
      const shown = isShown ? ['console', 'js', 'sh', 'mermaid'] : ['sh']
      expect(PROGRAMS[document] ?? shown, document).toContain(language)
    }
  })

  it('tell readers to run nothing but npm, and scripts that exist', () => {
    const lines = DOCUMENTS.flatMap((document) => fencesIn(read(document)))
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.trimEnd().split('\n'))
    expect(lines.length).toBeGreaterThan(2)
    for (const line of lines) expect(line).toMatch(/^([A-Z_]+=\S+ )*npm (ci|cit|start|run)/)
    const named = DOCUMENTS.map(read).flatMap((text) =>
      [...text.matchAll(/npm run ([a-z:-]+)/g)].map(([, name]) => name),
    )
    expect(named.length).toBeGreaterThan(1)
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(named))
  })

  it('lead to the guides to clients and to access', () => {
    expect(read('README.md')).toContain('](docs/access.md)')
    expect(read('docs/clients.md')).toContain('](access.md')
    expect(read('README.md')).toContain('](docs/clients.md)')
    expect(read('docs/api.md')).toContain('](clients.md)')
  })

  it('link only to files that exist', () => {
    const links = DOCUMENTS.flatMap((document) =>
      [...read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) =>
        join(project, dirname(document), path),
      ),
    )
    expect(links.length).toBeGreaterThan(20)
    for (const link of links) expect(existsSync(link), link).toBe(true)
  })

  it('link only to headings that exist', () => {
    const anchorsIn = (text: string) =>
      [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      )
    const links = DOCUMENTS.flatMap((document) =>
      [...read(document).matchAll(/\]\(([^):]*)#([^)]+)\)/g)].map(([, path = '', anchor = '']) => ({
        target: path === '' ? document : join(dirname(document), path),
        anchor,
      })),
    )
    expect(links.length).toBeGreaterThan(0)
    for (const { target, anchor } of links) expect(anchorsIn(read(target))).toContain(anchor)
  })

  it('know no place but their own', () => {
    for (const document of DOCUMENTS) {
      expect(read(document), document).not.toContain(project)
      expect(read(document), document).not.toMatch(/\/(home|Users|root|work|tmp)\//)
    }
  })
})

/** Starts the sandbox as `npm run sandbox` does, in this process. Resolves to its URL. */
const startSandbox = async (): Promise<string> => {
  const host = fakeHost({ env: { PORT: '0' } })
  await sandbox(host)
  const [, url] = /OpenAPI +(http:\S+)\/openapi\.json/.exec(host.printed.join('\n')) ?? []
  if (url === undefined) throw new Error(`no sandbox: ${host.complaints.join('\n')}`)
  return url
}

describe.skipIf(obstacle !== undefined)(
  `what the documents show${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    it.each(SESSIONS)('$document answers as printed: $first', async ({ commands }) => {
      // Each block has a sandbox of its own, because a reader may begin with any of them.
      const url = await startSandbox()
      for (const { line, printed } of commands) {
        // lemlist's answers come in any order. What the gateway has read before is told first.
        const [, known] = /export=(cam_\w+\/axp_\w+)&/.exec(line) ?? []
        if (known !== undefined) {
          await fetch(`${url}/campaigns/${known.replace('/', '/export/')}/status`)
        }
        const answer = await runCurl(line.replace('http://127.0.0.1:8080', url))
        expect(missingFrom(answer, printed), answer).toEqual([])
      }
    })
  },
)
