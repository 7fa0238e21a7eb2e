import { VARIABLES } from '../src/config/variables.ts'

const cell = (text: string): string => text.replaceAll('|', '\\|')

/** Returns the text of docs/configuration.md, made from the schemas that check the environment. */
export const configDocs = (): string => {
  const rows = Object.entries(VARIABLES).map(([name, variable]) => {
    const fallback = 'default' in variable ? `\`${variable.default}\`` : 'unset'
    return `| \`${name}\` | ${cell(fallback)} | ${cell(variable.about)} |`
  })
  const secrets = Object.entries(VARIABLES)
    .filter(([, variable]) => 'secret' in variable)
    .map(([name]) => `\`${name}\``)
  return `# Configuration

\`npm run docs:config\` makes this page from \`src/config/variables.ts\`. A test fails when the page is stale.

The gateway reads its configuration from environment variables. It also reads a file \`.env\` in the working
directory if there is one, but a variable of the environment wins over the file. An empty value counts as unset, so the
file wins over an empty variable.
Durations are in milliseconds. When the configuration has faults, the gateway lists all of them at once, by name and
without values, and exits with code 78. \`npm run check-config\` checks the configuration without starting the
gateway. The gateway warns about an unknown variable that begins like one of these or differs from one of them by a
single slip, but not about those that Kubernetes sets for a Service. \`.env\` must be UTF-8 text. A value in quotes is a fault, because \`docker --env-file\` makes quotes
part of the value; in \`.env\` quotes around a value are taken off.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}

## The key

Use \`LEMLIST_API_KEY_FILE\` for a secret that is mounted as a file. To change the key, write the new key into the file
and send \`SIGHUP\` to the gateway: the next call to lemlist uses the new key. The key appears in no log, in no answer
and in no stored data.

The gateway takes these variables out of \`process.env\` after it has read them, so that no report of Node and no child
process gets them: ${secrets.join(', ')}.
The system keeps the environment with which the process began: \`/proc/PID/environ\` still shows it to the user of the
process and to root. A secret in a file is not there.

## The budget

lemlist allows one key 20 calls in 2 seconds, counting the calls of every program that uses the key. The gateway makes
at most \`LEMLIST_RATE_LIMIT - LEMLIST_RATE_RESERVE\` calls in any \`LEMLIST_RATE_WINDOW_MS\`. It leaves the other calls
to other programs. When other programs use the key heavily, raise the reserve.

## Behind a proxy

In a network whose only way out is a proxy, set \`HTTPS_PROXY\`. The gateway then opens a tunnel through the proxy for
each connection to lemlist (CONNECT). TLS runs between the gateway and lemlist: the gateway verifies lemlist's
certificate as without a proxy, and the proxy never sees the key. The proxy itself may have an \`https:\` URL.
\`npm run check-config\` and the log name the proxy without its credentials.

- Credentials belong into the URL and are sent as Basic. Percent-encode their special characters: \`p@ss#1\` is
  \`p%40ss%231\`. For a proxy that asks for NTLM or Kerberos, run a relay
  that signs in there, and name the relay in \`HTTPS_PROXY\`.
- \`HTTP_PROXY\` is used when \`HTTPS_PROXY\` is unset. Each variable also works in lower case, which wins. \`ALL_PROXY\`
  and SOCKS proxies are not supported.
- \`NO_PROXY\` takes names (\`lemlist.com\` and \`.lemlist.com\` stand for the name and all names below it,
  \`*.lemlist.com\` only for those below it), addresses (\`10.1.2.3\`, \`[::1]\`), blocks (\`10.0.0.0/8\`), each with or
  without \`:PORT\`, and \`*\`.
- Set \`NODE_EXTRA_CA_CERTS\` to a PEM file if the proxy, or a gateway that opens TLS on the way, has a certificate of the
  company's own authority. The gateway cannot be told to skip the verification.
- Only the calls to lemlist and to \`JWT_JWKS_URL\` go through the proxy. Redis is always reached directly.

When the proxy refuses a tunnel or cannot be reached, callers get 503 \`upstream-unavailable\`, and the request line in the
log says \`the proxy answered CONNECT with status 407\`, or how the connection failed. Nothing was sent to lemlist then,
so an \`Idempotency-Key\` stays free.

## The store

\`sqlite:PATH\` keeps final answers over restarts. The file belongs to one process: a second process on the same file
refuses to start. \`memory:\` keeps nothing over a restart. When the store fails (for example because the disk is full),
the gateway goes on and asks lemlist instead. \`/health/ready\` then says \`degraded\`.
`
}
