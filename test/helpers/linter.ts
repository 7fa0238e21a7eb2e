import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Runs the project's linter on a planted tree. */
const biome = fileURLToPath(new URL('../../node_modules/.bin/biome', import.meta.url))

/** What the linter reads of the project. A planted tree needs copies of these. */
export const LINTER_FILES = ['biome.json', 'biome.rooms.json', '.gitignore'] as const

interface Diagnostic {
  readonly category: string
  readonly location: { readonly path: string; readonly start: { readonly line: number } }
}

/** Runs one rule of the linter on a whole tree. @throws when the tree breaks any other rule */
export const lint = async (tree: string, rule: string): Promise<readonly Diagnostic[]> => {
  const report = await new Promise<string>((resolve, reject) => {
    const options = { cwd: tree, maxBuffer: 64 * 1024 * 1024 }
    const only = [`--only=${rule}`, '--max-diagnostics=none', '--reporter=json']
    execFile(biome, ['lint', ...only, 'src'], options, (error, stdout, stderr) => {
      // Exit code 1 means that the linter found something. Any other one means that it did not run.
      if (error && error.code !== 1) reject(new Error(stderr, { cause: error }))
      else resolve(stdout)
    })
  })
  // Biome defines this shape. With another one every import looks permitted, and the tests fail.
  const { diagnostics } = JSON.parse(report) as { diagnostics: Diagnostic[] }
  for (const { category, location } of diagnostics) {
    if (category !== `lint/${rule}`) {
      throw new Error(`The planted tree is wrong in another way: ${category} in ${location.path}`)
    }
  }
  return diagnostics
}

/** The lines of each file that break an import direction. */
export const restrictedLines = async (
  tree: string,
): Promise<ReadonlyMap<string, ReadonlySet<number>>> => {
  const lines = new Map<string, Set<number>>()
  for (const { location } of await lint(tree, 'style/noRestrictedImports')) {
    const ofFile = lines.get(location.path) ?? new Set()
    lines.set(location.path, ofFile.add(location.start.line))
  }
  return lines
}
