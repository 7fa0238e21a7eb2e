import { VARIABLES } from '../src/config/variables.ts'

const cell = (text: string): string => text.replaceAll('|', '\\|')

/** Returns the text of docs/configuration.md, made from the schemas that check the environment. */
export const configDocs = (): string => {
  const rows = Object.entries(VARIABLES).map(([name, variable]) => {
    const fallback = 'default' in variable ? `\`${variable.default}\`` : 'unset'
    return `| \`${name}\` | ${cell(fallback)} | ${cell(variable.about)} |`
  })
  return `# Configuration

\`npm run docs:config\` makes this page from \`src/config/variables.ts\`. A test fails when the page is stale.

The gateway reads its configuration from environment variables. It also reads a file \`.env\` in the working
directory if there is one, but a variable of the environment wins over the file. An empty value counts as unset.
Durations are in milliseconds. When the configuration has faults, the gateway lists all of them at once, by name and
without values, and exits with code 78. \`npm run check-config\` checks the configuration without starting the
gateway. The gateway warns about an unknown variable that looks like one of these.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}

## The key

Use \`LEMLIST_API_KEY_FILE\` for a secret that is mounted as a file. To change the key, write the new key into the file
and send \`SIGHUP\` to the gateway: the next call to lemlist uses the new key. When the key is set as
\`LEMLIST_API_KEY\`, the gateway removes it from the environment of its process after it has read it. The key appears
in no log, in no answer and in no stored data.

## The budget

lemlist allows one key 20 calls in 2 seconds, counting the calls of every program that uses the key. The gateway makes
at most \`LEMLIST_RATE_LIMIT - LEMLIST_RATE_RESERVE\` calls in any \`LEMLIST_RATE_WINDOW_MS\`. It leaves the other calls
to other programs. When other programs use the key heavily, raise the reserve.

## The store

\`sqlite:PATH\` keeps final answers over restarts. The file belongs to one process: a second process on the same file
refuses to start. \`memory:\` keeps nothing over a restart. When the store fails (for example because the disk is full),
the gateway goes on and asks lemlist instead. \`/health/ready\` then says \`degraded\`.
`
}
