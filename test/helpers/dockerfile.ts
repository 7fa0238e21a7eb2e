/** Reads as much of Dockerfile and .dockerignore as this project uses. Throws at anything else. */

export type Step =
  | { readonly do: 'FROM'; readonly image: string; readonly as: string | undefined }
  | { readonly do: 'COPY'; readonly from: string | undefined; readonly paths: readonly string[] }
  | { readonly do: 'RUN' | 'CMD' | 'HEALTHCHECK'; readonly argv: readonly string[] }
  | { readonly do: 'ENV'; readonly values: Readonly<Record<string, string>> }
  | { readonly do: 'WORKDIR' | 'VOLUME' | 'EXPOSE'; readonly value: string }
  | { readonly do: 'USER'; readonly uid: number; readonly gid: number }

/**
 * The steps in order.
 * @throws on a step that cannot be replayed, and when there are no steps to check
 */
export function parseDockerfile(text: string): readonly Step[] {
  const steps = instructions(text).map(parseInstruction)
  if (steps[0]?.do !== 'FROM')
    throw new Error('The Dockerfile has no steps, or none of them first is FROM')
  return steps
}

/** Joins continued lines to instructions and drops comment lines, also those in an instruction. */
function instructions(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\[ \t]*\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
}

function parseInstruction(line: string): Step {
  const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/.exec(line) ?? []
  const { flags, value } = splitFlags(rest)
  const allow = (...names: readonly string[]) => {
    const strange = Object.keys(flags).find((name) => !names.includes(name))
    if (strange) throw new Error(`No replay of ${word} --${strange}: ${line}`)
  }
  const plain = () => {
    if (value === '' || /[$*?[\]]/.test(value)) throw new Error(`No replay of: ${line}`)
    return value
  }
  const instruction = word.toUpperCase()
  switch (instruction) {
    case 'FROM': {
      allow()
      const [image = '', as, name] = plain().split(/\s+/)
      if (as !== undefined && as.toUpperCase() !== 'AS') throw new Error(`No replay of: ${line}`)
      return { do: 'FROM', image, as: name }
    }
    case 'COPY': {
      allow('from')
      const paths = plain().split(/\s+/)
      if (paths.length < 2) throw new Error(`COPY without a target: ${line}`)
      return { do: 'COPY', from: flags.from, paths }
    }
    case 'RUN':
    case 'CMD': {
      allow()
      return { do: instruction, argv: argvOf(value) }
    }
    case 'HEALTHCHECK': {
      allow('interval', 'timeout', 'start-period', 'retries')
      if (!value.startsWith('CMD ')) throw new Error(`No replay of: ${line}`)
      return { do: 'HEALTHCHECK', argv: argvOf(value.slice(4).trim()) }
    }
    case 'ENV': {
      const pairs = plain()
        .split(/\s+/)
        .map((pair) => /^([^=]+)=(.+)$/.exec(pair)?.slice(1))
      return {
        do: 'ENV',
        values: Object.fromEntries(
          pairs.map((pair) => {
            if (!pair) throw new Error(`No replay of: ${line}`)
            return pair
          }),
        ),
      }
    }
    case 'VOLUME': {
      const [volume, ...others] = value.startsWith('[') ? argvOf(value) : [plain()]
      if (volume === undefined || others.length > 0) throw new Error(`No replay of: ${line}`)
      return { do: 'VOLUME', value: volume }
    }
    case 'WORKDIR':
    case 'EXPOSE':
      return { do: instruction, value: plain() }
    case 'USER': {
      const [, uid, gid] = /^(\d+):(\d+)$/.exec(value) ?? []
      if (uid === undefined || gid === undefined)
        throw new Error(`USER is not two numbers: ${line}`)
      return { do: 'USER', uid: Number(uid), gid: Number(gid) }
    }
    default:
      throw new Error(`No replay of: ${line}`)
  }
}

function splitFlags(text: string): { flags: Partial<Record<string, string>>; value: string } {
  const flags: Partial<Record<string, string>> = {}
  let value = text
  for (let flag = match(); flag; flag = match()) {
    flags[flag[1] ?? ''] = flag[2] ?? ''
    value = value.slice(flag[0].length)
  }
  return { flags, value }

  function match() {
    return /^--([a-z-]+)(?:=(\S+))?\s+/.exec(value)
  }
}

/** The exec form stays as it is. The shell form runs through the shell, as engines run it. */
function argvOf(value: string): readonly string[] {
  if (value === '' || value.startsWith('<<')) throw new Error(`No replay of the command: ${value}`)
  if (!value.startsWith('[')) return ['/bin/sh', '-c', value]
  const argv: unknown = JSON.parse(value)
  if (!Array.isArray(argv) || !argv.every((one) => typeof one === 'string')) {
    throw new Error(`Not a list of strings: ${value}`)
  }
  return argv
}

/**
 * Whether .dockerignore keeps a path out of the build context. The path uses `/` and does not begin
 * with `./`. The last rule that matches wins.
 */
export function ignoredBy(dockerignore: string): (path: string) => boolean {
  const rules = dockerignore
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const kept = line.startsWith('!')
      return { ignored: !kept, pattern: patternOf(kept ? line.slice(1) : line) }
    })
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.ignored ?? false
}

/** A pattern that matches the path itself and everything below it. */
function patternOf(glob: string): RegExp {
  const source = glob.replace(/^\/|\/$/g, '').replaceAll(/\*\*\/|\*\*|\*|\?|[^*?]/g, (part) => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    if (part === '?') return '[^/]'
    return /\w/.test(part) ? part : `\\${part}`
  })
  return new RegExp(`^${source}(?:/|$)`)
}
