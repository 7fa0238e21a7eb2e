/** Reads what a Markdown document shows, for the tests that run it. */

/** A fenced block of a document. */
export interface Fence {
  /** The word behind the opening fence; empty when there is none. */
  readonly language: string
  readonly text: string
}

/** Returns all fenced blocks of a document, in order. */
export const fencesIn = (markdown: string): Fence[] =>
  [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))

export interface Command {
  /** The command in one line, also when the document shows it in two. */
  readonly line: string
  /** The lines of the answer below it; `…` is whatever differs each time. */
  readonly printed: readonly string[]
}

/** Returns the commands of each `console` block. A reader runs those of one block in order. */
export const sessionsIn = (markdown: string): Command[][] =>
  fencesIn(markdown)
    .filter(({ language }) => language === 'console')
    .map(({ text }) =>
      text
        // A backslash at the end of a line joins it with the next one, as in a shell.
        .replace(/ \\\n\s+/g, ' ')
        .split(/^\$ /m)
        .filter((part) => part !== '')
        .map((part) => {
          const [line = '', ...printed] = part.trimEnd().split('\n')
          return { line, printed: printed.filter((answer) => answer !== '') }
        }),
    )

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const patternOf = (printed: string): RegExp =>
  new RegExp(`^${printed.split('…').map(escaped).join('.*')}$`)

/** Returns the printed lines that the answer does not hold, or does not hold in this order. */
export const missingFrom = (answer: string, printed: readonly string[]): string[] => {
  const lines = answer.split('\n')
  return printed.filter((text) => {
    const at = lines.findIndex((line) => patternOf(text).test(line))
    lines.splice(0, at + 1)
    return at === -1
  })
}
