import { VARIABLES } from '../src/config/variables.ts'

const cell = (text: string): string => text.replaceAll('|', '\\|')

/** docs/configuration.md, made from the schema that checks the environment. */
export const configDocs = (): string => {
  const rows = Object.entries(VARIABLES).map(([name, variable]) => {
    const fallback = 'default' in variable ? `\`${variable.default}\`` : 'unset'
    return `| \`${name}\` | ${cell(fallback)} | ${cell(variable.about)} |`
  })
  return `# Configuration

Made from \`src/config/variables.ts\` by \`npm run docs:config\`; a test fails when it is stale.

Everything is read from the environment, and from a file \`.env\` in the working directory when there is
one (the environment wins). An empty value counts as unset. Durations are milliseconds. All faults are
listed at once, by name and without values, and the exit code is then 78; \`npm run check-config\` checks
without starting. A variable that looks like one of these and is not is warned about.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}

## The key

\`LEMLIST_API_KEY_FILE\` suits secrets that are mounted as files: write a new key there and send \`SIGHUP\`,
and the next call to lemlist uses it. A key that is set as \`LEMLIST_API_KEY\` is removed from the
process's environment once it is read. It appears in no log, answer or stored byte.

## The budget

lemlist allows one key 20 calls in 2 seconds, whoever uses it. The gateway makes at most
\`LEMLIST_RATE_LIMIT - LEMLIST_RATE_RESERVE\` calls in any \`LEMLIST_RATE_WINDOW_MS\`, and leaves the rest to
whatever else works with that key. When other tools use the key heavily, raise the reserve.

## The store

\`sqlite:PATH\` keeps final answers over restarts. The file belongs to one process: a second one is
refused. \`memory:\` keeps nothing. Without its store (a full disk, say) the gateway goes on and asks
lemlist instead; \`/health/ready\` says \`degraded\` then.
`
}
