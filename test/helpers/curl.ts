import { execFile } from 'node:child_process'

/** Why no test here can paste a curl line; CI has to have curl. */
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

/** The words of a line as a shell reads them, as far as quotes go; anything else that a shell knows is refused. */
const wordsOf = (line: string): string[] => {
  const words = line.match(/'[^']*'|"[^"$`\\]*"|[^\s'"$`\\|;&<>()*?~#]+/g) ?? []
  if (words.join(' ') !== line.replace(/\s+/g, ' ').trim()) throw new Error(`not plain: ${line}`)
  return words.map((word) => word.replace(/^(['"])(.*)\1$/s, '$2'))
}

/** Runs a printed curl line and resolves to what it prints. */
export const runCurl = (line: string): Promise<string> => {
  const [command, ...args] = wordsOf(line)
  if (command !== 'curl') throw new Error(`no curl line: ${line}`)
  return run(args)
}
