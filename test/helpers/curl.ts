import { execFile } from 'node:child_process'

/** Why tests cannot run curl here. In CI it is no reason, because CI must have it. */
export const curlObstacle = async (): Promise<string | undefined> => {
  if (process.env.CI === 'true') return undefined
  const found = await run(['--version']).catch(() => undefined)
  return found === undefined ? 'no curl on PATH' : undefined
}

const run = (args: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, no_proxy: '*' }
    execFile(
      'curl',
      ['--silent', '--show-error', '--max-time', '60', ...args],
      { env },
      (error, out) => (error ? reject(error) : resolve(out.replaceAll('\r\n', '\n'))),
    )
  })

/**
 * Splits a line into words as a shell does. Of the shell's syntax it knows only quotes.
 * @throws when the line contains any other syntax of a shell
 */
const wordsOf = (line: string): string[] => {
  const words = line.match(/'[^']*'|"[^"$`\\]*"|[^\s'"$`\\|;&<>()*?~#]+/g) ?? []
  if (words.join(' ') !== line.replace(/\s+/g, ' ').trim()) throw new Error(`not plain: ${line}`)
  return words.map((word) => word.replace(/^(['"])(.*)\1$/s, '$2'))
}

/** Runs a curl command line and resolves to its output. */
export const runCurl = (line: string): Promise<string> => {
  const [command, ...args] = wordsOf(line)
  if (command !== 'curl') throw new Error(`no curl line: ${line}`)
  return run(args)
}
